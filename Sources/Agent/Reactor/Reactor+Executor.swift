import CLinux
import Glibc
import Synchronization

extension Reactor: SerialExecutor {
  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let (mustWake, mustDrain) = inbox.withLock { inbox in
      inbox.jobs.append(job)
      defer { inbox.isAsleep = false }
      guard inbox.hasEnded else { return (inbox.isAsleep, false) }
      defer { inbox.isDraining = true }
      return (false, !inbox.isDraining)
    }
    if mustWake { wake() }
    if mustDrain { drainLateJobs() }
  }

  package func checkIsolated() {
    precondition(isCurrent, "not on the thread of the reactor")
  }

  package func isIsolatingCurrentContext() -> Bool? { isCurrent }

  /// Moves the jobs that wait into `jobs`, which is empty; with none, says that the thread goes to sleep. False at the
  /// end: `stop` was called and nothing is left to do.
  func takeJobs(_ jobs: inout [UnownedJob]) -> Bool {
    inbox.withLock { inbox in
      swap(&jobs, &inbox.jobs)
      guard jobs.isEmpty else { return true }
      if inbox.isStopping {
        inbox.hasEnded = true
        inbox.isDraining = true
        return false
      }
      inbox.isAsleep = true
      return true
    }
  }

  /// The last act of a thread: from now on another one may take the turn.
  func endTurn() {
    owner.store(0, ordering: .relaxed)
    let isLeft = inbox.withLock { inbox in
      inbox.isDraining = !inbox.jobs.isEmpty
      return inbox.isDraining
    }
    if isLeft { drainLateJobs() }
  }

  /// A job that comes after the end (a call from a thread that had not heard of it) must not wait for ever: it runs on
  /// a thread that lives as long as there are such jobs. Only one does at a time.
  private func drainLateJobs() {
    var thread: pthread_t?
    let code = startThread(storing: &thread) { [self] in
      owner.store(UInt(pthread_self()), ordering: .relaxed)
      while true {
        let jobs = inbox.withLock { inbox in
          defer { inbox.jobs = [] }
          return inbox.jobs
        }
        if jobs.isEmpty { break }
        for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
      }
      endTurn()
    }
    precondition(code == 0, "the system gives no thread: \(SystemCallError.reason(code))")
    if let thread { pthread_detach(thread) }
  }
}

/// Runs `body` on a new thread; 0, or the reason why there is none.
func startThread(storing thread: inout pthread_t?, _ body: @escaping @Sendable () -> Void) -> Int32 {
  let box = Unmanaged.passRetained(ThreadBody(run: body))
  var created = pthread_t()
  let code = pthread_create(
    &created, nil,
    { context in
      if let context { Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run() }
      return nil
    }, box.toOpaque())
  if code == 0 { thread = created } else { box.release() }
  return code
}

private final class ThreadBody: Sendable {
  let run: @Sendable () -> Void

  init(run: @escaping @Sendable () -> Void) { self.run = run }
}
