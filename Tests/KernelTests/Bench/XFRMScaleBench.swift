import Glibc
import Kernel
import Namespaces
import Testing
import Wire

@testable import Agent

/// What the SAs and policies of one host cost in a pool of 64 hosts with encrypted networks. The baseline of the same run
/// is the program `ip` with the same objects in one batch, in a namespace of the same kind.
@Suite(.serialized, ScaleFigures.areWanted) struct XFRMScaleBench {
  @Test("SAs and policies of 63 peers, by the agent's code", KernelLab.hasESP, arguments: ScalePool.all)
  func associations(_ pool: ScalePool) throws {
    let abilities = KernelAbilities.probe().protection(isV6: pool.isV6)
    var figures = ScaleFigures()
    for _ in 0..<(ScaleFigures.rounds ?? 1) {
      let program = try Namespace().run { try programRound(pool) }
      try Namespace().run { try agentRound(pool, abilities, program, &figures) }
    }
    figures.report(pool)
  }

  private func agentRound(
    _ pool: ScalePool, _ abilities: KernelAbilities.Protection, _ program: Times, _ figures: inout ScaleFigures
  ) throws {
    let protection = try Protection(abilities)
    let (keys, ends, count) = (try pool.greKeys(), try pool.ends(), ScalePool.peers)
    let kinds = keys.count + 1
    let closed = duration { protection.close(greKeys: keys) }
    #expect(protection.locks.policies == nil && protection.locks.filter == nil, "\(protection.locks)")
    figures.add("close", "\(4 * kinds) blocks, filter", agent: closed, program: program.close)
    let installed = try duration { for index in ends.indices { try protection.establish(ends[index], index, 1) } }
    figures.add(
      "install", "\(2 * count) SAs, \(2 * count * kinds) policies", agent: installed, program: program.install)
    #expect(Set(try KernelXFRM().policies()) == Set((try pool.policies(epoch: 1)).wanted))
    var isWhole = false
    let verified = try duration { isWhole = try protection.isWhole(ends, 1) }
    #expect(isWhole)
    figures.add(
      "verify", "\(2 * count) SAs, \(2 * count * kinds + 4 * kinds) policies", agent: verified,
      program: program.verify)
    let switched = try duration { for index in ends.indices { try protection.establish(ends[index], index, 2) } }
    figures.add(
      "rekey", "\(2 * count) SAs, \(count * kinds) policies", agent: switched, program: program.rekey)
    #expect(Set(try KernelXFRM().policies()) == Set((try pool.policies(epoch: 2)).wanted))
    let retired = try duration { for index in ends.indices { try protection.retire(ends[index], index, 1) } }
    figures.add("retire", "\(2 * count) SAs", agent: retired, program: program.retire)
    #expect(try protection.isWhole(ends, 2))
    #expect(try KernelXFRM().states().count == 2 * count)
    #expect(protection.removeAll().isEmpty)
  }

  private struct Times {
    var close = Duration.zero
    var install = Duration.zero
    var verify = Duration.zero
    var rekey = Duration.zero
    var retire = Duration.zero
  }

  /// The same by `ip`: it ends with the same objects.
  private func programRound(_ pool: ScalePool) throws -> Times {
    let wanted = Set(try pool.policies(epoch: 1).wanted)
    let next = Set(try pool.policies(epoch: 2).wanted)
    var times = Times()
    times.close = try IPProgram.batch(ScalePool.forIP(wanted.filter(\.isBlock), "add"))
    times.install = try IPProgram.batch(
      try pool.statesForIP(epoch: 1) + ScalePool.forIP(wanted.filter { !$0.isBlock }, "add"))
    #expect(Set(try KernelXFRM().policies()) == wanted)
    times.verify = try IPProgram.batch(["xfrm state list", "xfrm policy list"])
    times.rekey = try IPProgram.batch(
      try pool.statesForIP(epoch: 2) + ScalePool.forIP(Array(next.subtracting(wanted)), "update"))
    times.retire = try IPProgram.batch(try pool.removalForIP(epoch: 1))
    #expect(Set(try KernelXFRM().policies()) == next)
    #expect(try KernelXFRM().states().filter(\.state.isAsMade).count == 2 * ScalePool.peers)
    return times
  }

  @Test("Policies of 63 peers alone, which need no ESP", arguments: ScalePool.all)
  func policies(_ pool: ScalePool) throws {
    let wanted = Set(try pool.policies(epoch: 1).wanted)
    let ordered = wanted.filter(\.isBlock) + wanted.filter { !$0.isBlock }
    let next = Array(Set(try pool.policies(epoch: 2).wanted).subtracting(wanted))
    var figures = ScaleFigures()
    for _ in 0..<(ScaleFigures.rounds ?? 1) {
      let program = try Namespace().run {
        let set = try IPProgram.batch(ScalePool.forIP(ordered, "add"))
        #expect(Set(try KernelXFRM().policies()) == wanted)
        let verified = try IPProgram.batch(["xfrm policy list"])
        return (set: set, verify: verified, turn: try IPProgram.batch(ScalePool.forIP(next, "update")))
      }
      try Namespace().run {
        let kernel = try KernelXFRM()
        let set = duration { #expect(kernel.replace(ordered).isEmpty) }
        var found: Set<XFRMPolicy> = []
        let verified = try duration { found = Set(try kernel.policies()).symmetricDifference(wanted) }
        #expect(found.isEmpty)
        let turned = duration { #expect(kernel.replace(next).isEmpty) }
        #expect(Set(try kernel.policies()) == Set((try pool.policies(epoch: 2)).wanted))
        figures.add("policies: set", "\(ordered.count) policies", agent: set, program: program.set)
        figures.add("policies: verify", "\(ordered.count) policies", agent: verified, program: program.verify)
        figures.add("policies: turn", "\(next.count) policies", agent: turned, program: program.turn)
      }
    }
    figures.report(pool)
  }
}

// Without `import Associations`, of which the tests of the kernel know nothing else: the initializer is found by the type
// that is wanted.
extension Protection {
  /// Both directions with one peer, in the order of the agent.
  fileprivate func establish(_ ends: TunnelEnds, _ index: Int, _ epoch: Int) throws {
    let spi = try ScalePool.spi(epoch: epoch, peer: index)
    let (local, remote) = (ends.local, ends.remote)
    let inbound = install(
      .init(peer: nil, direction: .inbound, spi: spi, local: local, remote: remote, key: nil),
      key: ScalePool.key(epoch: epoch, peer: index, isInbound: true))
    let outbound = switchOutbound(
      to: .init(peer: nil, direction: .outbound, spi: spi, local: local, remote: remote, key: nil),
      key: ScalePool.key(epoch: epoch, peer: index, isInbound: false))
    try #require(inbound == .done && outbound == .done, "\(lastError.map { "\($0)" } ?? "")")
  }

  fileprivate func retire(_ ends: TunnelEnds, _ index: Int, _ epoch: Int) throws {
    let spi = try ScalePool.spi(epoch: epoch, peer: index)
    remove(.init(peer: nil, direction: .outbound, spi: spi, local: ends.local, remote: ends.remote, key: nil))
    remove(.init(peer: nil, direction: .inbound, spi: spi, local: ends.local, remote: ends.remote, key: nil))
  }

  /// Everything is dumped and compared, and what is amiss would be put right.
  fileprivate func isWhole(_ all: [TunnelEnds], _ epoch: Int) throws -> Bool {
    let sighting = try look()
    let spis = try all.indices.map { try ScalePool.spi(epoch: epoch, peer: $0) }
    repair(
      sighting,
      known: zip(all, spis).flatMap { ends, spi in
        [
          .init(peer: nil, direction: .inbound, spi: spi, local: ends.local, remote: ends.remote, key: nil),
          .init(peer: nil, direction: .outbound, spi: spi, local: ends.local, remote: ends.remote, key: nil),
        ]
      })
    return zip(all, spis).allSatisfy { ends, spi in
      sighting.stands(
        .init(peer: nil, direction: .inbound, spi: spi, local: ends.local, remote: ends.remote, key: nil))
        && sighting.stands(
          .init(peer: nil, direction: .outbound, spi: spi, local: ends.local, remote: ends.remote, key: nil))
    }
  }
}
