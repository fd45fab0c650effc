import Testing
import Wire

@testable import Associations

@Suite struct RekeyTests {
  @Test func `A new epoch is drawn every hour, by each host at a time of its own`() {
    var times: Set<Instant> = []
    for seed: UInt64 in 1...20 {
      var shell = Shell(seed: seed)
      shell.start()
      let started = shell.now
      shell.wait(.seconds(3419))
      #expect(shell.drawn == [1])
      while shell.drawn.count == 1, let deadline = shell.core.deadline, deadline - started < .seconds(3781) {
        shell.now = deadline
        shell.perform(shell.core.advance(to: deadline))
      }
      #expect(shell.drawn == [1, 2] && shell.events.last == .rekeyed(epoch: 2, .time))
      times.insert(shell.now)
    }
    #expect(times.count > 15)
  }

  @Test func `Of many requests one a second is met, the last of them too`() {
    var shell = Shell()
    shell.start()
    shell.wait(.seconds(10))
    shell.forget()
    for _ in 0..<30 {
      shell.rekey()
      shell.wait(.milliseconds(100))
    }
    #expect(shell.drawn == [2, 3, 4, 5])
    shell.wait(.milliseconds(500))
    shell.rekey()
    #expect(shell.drawn.count == 4)
    shell.wait(.seconds(5))
    #expect(shell.drawn == [2, 3, 4, 5, 6])
  }

  @Test func `A rekey makes new SAs with all hosts, and the old ones stay in use meanwhile`() throws {
    var shell = try Shell.standing()
    shell.wait(.seconds(1))
    shell.forget()
    shell.rekey()
    #expect(shell.carriedOut.first == .drawEpoch(2))
    #expect(shell.installed.count == 1 && shell.removed.isEmpty)
    #expect(shell.core.outboundSPI(to: Shell.peer) == 5000 && shell.inbound.count == 2)
    #expect(shell.core.epoch == Epoch(boot: Shell.boot, number: 2))
  }

  @Test func `An outbound SA is replaced at 2^30 packets, once`() throws {
    var shell = try Shell.standing()
    shell.wait(.seconds(1))
    shell.forget()
    let outbound = try #require(shell.outbound.first)
    shell.perform(shell.core.sent(packets: 1 << 30 - 1, by: outbound, now: shell.now))
    #expect(shell.drawn.isEmpty)
    for _ in 0..<3 {
      shell.perform(shell.core.sent(packets: .max, by: outbound, now: shell.now))
      shell.wait(.seconds(5))
    }
    #expect(shell.drawn == [2] && shell.events.contains(.rekeyed(epoch: 2, .packets)))
  }

  @Test func `A lost SA is made up for by a new epoch, never by its key`() throws {
    for direction in [Association.Direction.inbound, .outbound] {
      var shell = try Shell.standing()
      shell.wait(.seconds(1))
      shell.forget()
      let gone = try #require(shell.core.all.first { $0.direction == direction })
      shell.lose(gone)
      #expect(shell.removed == [gone] && shell.drawn == [2])
      #expect(shell.events == [.rekeyed(epoch: 2, .lost(Shell.peer))])
      #expect(shell.installed.allSatisfy { $0.key != gone.key } && shell.installed.count == 1)
      shell.lose(gone)
      shell.wait(.seconds(120))
      #expect(shell.drawn == [2])
    }
  }

  @Test func `A superseded SA that is lost is not missed`() throws {
    var shell = try Shell.standing()
    shell.meet(epoch: 2)
    let spi = try #require(shell.inbound.last?.spi)
    shell.receive(.sending(epoch: 2, receiverEpoch: 1, spi: spi))
    shell.forget()
    let old = try #require(shell.inbound.first)
    shell.lose(old)
    shell.wait(.seconds(120))
    #expect(shell.drawn.isEmpty && shell.removed == [old])
  }

  @Test func `Epochs drawn for repair come ever more seldom while something keeps taking SAs away`() {
    var shell = Shell.met()
    shell.wait(.seconds(1))
    let start = shell.now
    var times: [Duration] = []
    for _ in 0..<600 {
      if let newest = shell.inbound.last { shell.lose(newest) }
      let count = shell.drawn.count
      shell.wait(.seconds(1))
      if shell.drawn.count > count { times.append(shell.now - start) }
    }
    let gaps = zip(times.dropFirst(), times).map { $0 - $1 }
    #expect((10...18).contains(times.count))
    #expect(gaps.suffix(3).allSatisfy { $0 >= .seconds(60) })
    // An admin is not made to wait by that.
    let count = shell.drawn.count
    shell.rekey()
    #expect(shell.drawn.count == count + 1)
  }

  @Test func `A request counts although a repair was due at the same time and is not needed any more`() throws {
    var shell = try Shell.standing()
    shell.lose(try #require(shell.inbound.first))
    shell.rekey()
    shell.meet(epoch: 2)
    shell.wait(.seconds(5))
    #expect(shell.drawn == [2] && shell.events.contains(.rekeyed(epoch: 2, .asked)))

    var repaired = try Shell.standing()
    repaired.lose(try #require(repaired.inbound.first))
    repaired.meet(epoch: 2)
    repaired.wait(.seconds(5))
    #expect(repaired.drawn.isEmpty)
  }

  @Test func `An epoch that is drawn in the middle of a list of effects replaces what is left of it`() throws {
    var shell = try Shell.standing()
    let other = HostID(high: 0, low: 300)
    shell.meet(other, vtep: .v4(0xc633_6402))
    shell.wait(.seconds(2))
    shell.forget()
    let stale = shell.core.peer(Shell.peer, Self.peer(epoch: 2), now: shell.now)
    shell.rekey()
    #expect(shell.installed.map(\.key?.receiverEpoch.number) == [2, 2])
    // The key is gone: a shell refuses it, and one that was quicker takes it away again.
    for case .install(let association) in stale {
      #expect(shell.core.installed(association, .refused, now: shell.now).isEmpty)
      #expect(shell.core.installed(association, .done, now: shell.now) == [.remove(association)])
    }
    #expect(shell.inbound.count { $0.key?.receiverEpoch.number == 2 } == 2)
  }

  private static func peer(epoch: UInt64) -> Peer {
    Peer(epoch: Epoch(boot: Shell.peerBoot, number: epoch), vtep: Shell.remote, isReachable: true)
  }

  @Test func `At the end of the range the last epoch goes on`() {
    var shell = Shell.met()
    shell.core.number = .max
    shell.wait(.seconds(20_000))
    shell.rekey()
    #expect(shell.drawn == [1] && shell.core.epoch.number == .max)
  }
}
