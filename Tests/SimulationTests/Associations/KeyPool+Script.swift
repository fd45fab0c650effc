import Associations
import Wire

// What tests do to a pool.
extension KeyPool {
  /// Starts the agent in a new boot on what its kernel holds.
  mutating func start(_ index: Int) {
    let boot = Boot(counter: hosts[index].boot.counter + 1, nonce: generator.next())
    note("start \(index) in boot \(boot.counter)")
    hosts[index].boot = boot
    hosts[index].isUp = true
    hosts[index].drawn = 0
    hosts[index].isNewAddressKeyless = false
    hosts[index].version = 0
    hosts[index].records = [:]
    hosts[index].sessions = [:]
    hosts[index].unreachable = []
    hosts[index].wakeAt = nil
    hosts[index].core = Associations(
      host: hosts[index].id, boot: boot, local: hosts[index].vtep, seed: generator.next(),
      configuration: configuration)
    let found = hosts[index].kernel.dump()
    input(index) { core, now in core.adopt(found, now: now) }
    input(index) { core, now in core.start(now: now) }
    for other in hosts.indices where other != index {
      // A hello may come long before the records; then frames for the old boot have no session any more.
      events.add(.action(.greet(index, to: other, boot)), at: now + delay())
      guard hosts[other].core != nil else { continue }
      let time = now + delay() + .milliseconds(Int.random(in: 0...300, using: &generator))
      events.add(.record(hosts[other].record, of: other, to: index, boot: boot), at: time)
    }
    events.add(.action(.membersAreKnown(index, boot)), at: now + .seconds(1))
  }

  /// Ends the agent; the kernel goes on.
  mutating func stop(_ index: Int) {
    note("stop \(index)")
    hosts[index].core = nil
    hosts[index].wakeAt = nil
    for other in hosts.indices where other != index {
      let time = now + .milliseconds(Int.random(in: 500...6000, using: &generator))
      events.add(.action(.noticeSilence(of: index, at: other, hosts[index].boot)), at: time)
    }
    updateMutual(index)
  }

  /// The machine goes down and loses its kernel's state.
  mutating func crash(_ index: Int) {
    stop(index)
    note("crash \(index)")
    hosts[index].isUp = false
    for state in hosts[index].kernel.states.values { destroyed.insert(state.key) }
    hosts[index].kernel = SimulatedESP()
    hosts[index].forwarding = [:]
    breakFlows(of: index)
  }

  /// Somebody takes an SA of this host away by hand, and the agent notices.
  mutating func deleteAnySA(at index: Int) {
    let all = hosts[index].kernel.associations
    guard !all.isEmpty else { return }
    let association = all[Int.random(in: all.indices, using: &generator)]
    note("delete \(association.direction) \(association.spi) at \(index)")
    if let key = hosts[index].kernel.states[association.name]?.key { destroyed.insert(key) }
    hosts[index].kernel.delete(association)
    for other in hosts.indices where other != index && hosts[other].vtep == association.remote {
      let (source, target) = association.direction == .inbound ? (other, index) : (index, other)
      flows[source][target].breaks(now: now)
      flows[source][target].isExcused = true
    }
    let known = hosts[index].core?.association(destination: association.destination, spi: association.spi)
    if let known {
      let time = now + .milliseconds(Int.random(in: 0...50, using: &generator))
      events.add(.action(.noticeLoss(known, at: index, hosts[index].boot)), at: time)
    }
  }

  mutating func moveAddress(of index: Int) {
    guard hosts[index].core != nil, case .v4(let address) = hosts[index].vtep else { return }
    let vtep = VTEP.v4(address &+ 0x100)
    note("\(index) moves to \(vtep)")
    hosts[index].vtep = vtep
    hosts[index].isNewAddressKeyless = true
    breakFlows(of: index)
    for state in hosts[index].kernel.states.values { destroyed.insert(state.key) }
    input(index) { core, now in core.localAddress(vtep, now: now) }
    publish(index)
  }

  mutating func evict(_ index: Int) {
    note("evict \(index)")
    hosts[index].isEvicted = true
    for other in hosts.indices where other != index {
      hosts[other].records[index] = nil
      hosts[other].forwarding[index] = nil
      let id = hosts[index].id
      input(other) { core, now in core.peer(id, nil, now: now) }
    }
    crash(index)
  }

  mutating func cut(from: Int, to: Int) {
    note("cut \(from) to \(to)")
    cuts.insert([from, to])
  }

  mutating func heal() {
    note("heal")
    cuts = []
  }

  /// Asks for new keys now, and again.
  mutating func rekey(_ index: Int, times: Int, every interval: Duration) {
    events.add(.action(.rekey(index, times: times, every: interval)), at: now)
  }

  private mutating func breakFlows(of index: Int) {
    for other in hosts.indices where other != index {
      flows[index][other].breaks(now: now)
      flows[other][index].breaks(now: now)
    }
    updateMutual(index)
  }
}
