import CLinux
import Glibc
import Testing
import Wire

@testable import Agent

@Suite struct UnderlayWaitTests {
  private func after(_ seconds: Int) -> Instant { Instant(nanoseconds: 1) + .seconds(seconds) }

  @Test func aReasonIsToldOnceAndAgainAfterAMinute() throws {
    var wait = try UnderlayWait("192.0.2.1")
    #expect(
      on(&wait) { $0.line("It is not there.", now: after(0)) } == "It is not there. weftd waits for its underlay.")
    for second in 1..<60 { #expect(on(&wait) { $0.line("It is not there.", now: after(second)) } == nil) }
    #expect(on(&wait) { $0.line("It is not there.", now: after(60)) } != nil)
    #expect(on(&wait) { $0.line("It is not there.", now: after(61)) } == nil)
  }

  @Test func anotherReasonIsToldAtOnce() throws {
    var wait = try UnderlayWait("192.0.2.1")
    #expect(on(&wait) { $0.line("No interface.", now: after(0)) } != nil)
    #expect(on(&wait) { $0.line("No address.", now: after(1)) } == "No address. weftd waits for its underlay.")
    #expect(on(&wait) { $0.line("No address.", now: after(2)) } == nil)
  }

  @Test(
    .enabled(if: geteuid() == 0, "only root can make network namespaces"),
    arguments: [("192.0.2.1", "192.0.2.1 is not an address of this host."), ("lo", "has no address that other hosts")])
  func anAddressThatComesEndsTheWait(wanted: String, reason: String) {
    let looks = Looks(at: wanted)
    let context = Unmanaged.passUnretained(looks).toOpaque()
    let code = weft_in_new_network(
      { context in
        guard let context else { return }
        Unmanaged<Looks>.fromOpaque(context).takeUnretainedValue().run()
      }, context)
    #expect(code == 0)
    #expect(looks.before?.contains(reason) == true, "\(looks)")
    #expect(looks.after == nil && looks.failure == nil, "\(looks)")
  }
}

/// What is missing before and after the address came, in a namespace that has nothing else.
private final class Looks: CustomStringConvertible {
  let wanted: String
  var before: String?
  var after: String? = "not looked"
  var failure: String?

  init(at wanted: String) { self.wanted = wanted }

  func run() {
    do {
      let wait = try UnderlayWait(wanted)
      before = try wait.missing()
      let code = system("ip address add 192.0.2.1/32 dev lo")
      after = try wait.missing()
      if code != 0 { failure = "no address: \(code)" }
    } catch {
      failure = "\(error)"
    }
  }

  var description: String { "before: \(before ?? "-"), after: \(after ?? "-"), failure: \(failure ?? "-")" }
}
