import Glibc

/// A process that a test started; its output goes to files, so that no pipe can fill up and stall it.
final class Child {
  let pid: pid_t
  let output: String
  let errors: String
  private(set) var status: Int32?

  /// Starts `command` (its first word is looked up in PATH) with its output in the two files.
  init(_ command: [String], output: String, errors: String, input: String = "/dev/null") throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // The threads that tests run on block signals, which a child would inherit.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let create = O_WRONLY | O_CREAT | O_APPEND
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, create, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, errors, create, 0o600)
    var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var child: pid_t = 0
    let code = posix_spawnp(&child, command[0], &actions, &attributes, &words, environ)
    guard code == 0 else {
      throw Failure("cannot start \(command.joined(separator: " ")): \(String(cString: strerror(code)))")
    }
    pid = child
    self.output = output
    self.errors = errors
  }

  /// Whether it still runs; collects its status when it has ended.
  var isRunning: Bool {
    if status != nil { return false }
    var raw: Int32 = 0
    guard waitpid(pid, &raw, WNOHANG) == pid else { return true }
    // The exit code, or 128 + the signal's number, as a shell has it.
    status = raw & 0x7f == 0 ? (raw >> 8) & 0xff : 128 + (raw & 0x7f)
    return false
  }

  func signal(_ number: Int32) {
    if isRunning { _ = kill(pid, number) }
  }

  /// Its exit code once it has ended; ends it by force after `seconds`, times the run's patience, and then answers nil.
  @discardableResult
  func wait(within seconds: Double) -> Int32? {
    let end = Clock.now + seconds * TestRun.patience
    while isRunning {
      if Clock.now > end {
        signal(SIGKILL)
        while isRunning { usleep(1000) }
        return nil
      }
      usleep(1000)
    }
    return status
  }
}

/// What a command answered.
struct Answer {
  var status: Int32
  var output: String
  var errors: String

  /// Everything that it said, for the message of a failed test.
  var said: String { "exit \(status)\n\(output)\(errors)" }

  /// The one sentence on stderr of a command that failed. Fails the test if there is none, or more than one line.
  func sentence() throws -> String {
    let lines = errors.split(separator: "\n").map(String.init)
    guard status != 0 else { throw Failure("expected a refusal, but the command succeeded: \(said)") }
    guard lines.count == 1, let line = lines.first else {
      throw Failure("expected one sentence on stderr, found \(lines.count) lines: \(said)")
    }
    return line
  }
}

enum Clock {
  /// Seconds on the monotonic clock.
  static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

struct Failure: Error, CustomStringConvertible {
  var description: String
  init(_ sentence: String) { description = sentence }
}

/// Polls `condition` until it holds, for at most `seconds` times the run's patience; an error that it throws counts as
/// "not yet" and is told at the end.
func eventually(
  within seconds: Double = 10, _ what: @autoclosure () -> String, _ condition: () throws -> Bool
) throws {
  let limit = seconds * TestRun.patience
  let end = Clock.now + limit
  var reason = ""
  repeat {
    do {
      if try condition() { return }
    } catch {
      reason = " (last error: \(error))"
    }
    usleep(10_000)
  } while Clock.now < end
  throw Failure("waited \(limit) s, and still not: \(what())\(reason)")
}

/// Watches for `seconds` that `condition` holds all the time.
func always(for seconds: Double, _ what: String, _ condition: () throws -> Bool) throws {
  let end = Clock.now + seconds
  repeat {
    guard try condition() else { throw Failure("did not hold for \(seconds) s: \(what)") }
    usleep(50_000)
  } while Clock.now < end
}
