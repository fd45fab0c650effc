import Control
import Registry
import Wire

// Commands about networks.
extension Node {
  func createNetwork(_ request: API.CreateNetwork) throws -> NetworkID {
    let now = Reactor.now()
    let encapsulation: Encapsulation = request.encap == .gre ? .gre : .vxlan
    let encryption: Encryption = request.encryption == .off ? .off : .required
    try checkMechanism(encapsulation, encryption)
    var system = SystemRandomNumberGenerator()
    let id = NetworkID(random: system.next(), system.next())
    let spec = NetworkSpec(
      id: id, name: try NetworkName(request.name), vni: try request.vni.map { try Self.vni($0) },
      bridge: try request.bridge.map { try BridgeName($0) }, encapsulation: encapsulation, encryption: encryption,
      mtu: try mtu(request.mtu, encapsulation, encryption))
    perform(try registry.createNetwork(spec, now: now, sign: identity.sign), now: now)
    around.tell(
      Event(kind: "networkCreated", message: "Network \(spec.name) was created.", network: spec.name.text))
    endTurn(now)
    return id
  }

  /// A network that this host itself cannot carry is refused here, where someone reads the answer.
  private func checkMechanism(_ encapsulation: Encapsulation, _ encryption: Encryption) throws {
    let kernel = around.kernel
    guard let obstacle = kernel.obstacle(to: encapsulation, encryption) else { return }
    let advice =
      if encryption == .required, kernel.obstacle(to: encapsulation, .off) == nil {
        "pass --encryption off if its frames may cross the underlay in clear"
      } else if encapsulation == .gre, kernel.obstacle(to: .vxlan, encryption) == nil {
        "pass --encap vxlan"
      } else {
        "see `weft doctor` for what the kernel lacks"
      }
    throw APIError(.unsupported, "This host cannot carry such a network: \(obstacle) To go on, \(advice).")
  }

  private static func vni(_ value: Int) throws -> VNI {
    guard let number = UInt32(exactly: value), let vni = VNI(number) else { throw RegistryError.invalidVNI(value) }
    return vni
  }

  private func mtu(_ wanted: Int?, _ encapsulation: Encapsulation, _ encryption: Encryption) throws -> NetworkMTU {
    if let wanted { return try NetworkMTU(wanted) }
    let own = UInt32(clamping: around.kernel.underlay.mtu)
    let smallest = min(own, registry.smallestUnderlayMTU ?? own)
    let isV6 = around.kernel.underlay.address.isV6
    guard
      let mtu = NetworkMTU(largestOn: Int(smallest), encapsulation: encapsulation, encryption: encryption, isV6: isV6)
    else {
      throw APIError(
        .conflict,
        "The smallest underlay MTU of the pool is \(smallest), too small for any network: raise it on the host that has it (`weft host list` shows)."
      )
    }
    return mtu
  }

  func setNetwork(_ reference: String, _ request: API.SetNetwork) throws -> NetworkID {
    let now = Reactor.now()
    let network = try registry.findNetwork(reference)
    // All of the request is checked before any of it is done.
    var changes: [NetworkChange] = []
    if let mtu = request.mtu { changes.append(.mtu(try NetworkMTU(mtu))) }
    if let name = request.name {
      let name = try NetworkName(name)
      if registry.networks.contains(where: { $0.id != network.id && $0.name == name }) {
        throw RegistryError.nameTaken(name.text)
      }
      changes.append(.name(name))
    }
    for change in changes {
      perform(try registry.setNetwork(network.id, change, now: now, sign: identity.sign), now: now)
    }
    around.tell(
      Event(kind: "networkChanged", message: "Network \(network.name) was changed.", network: network.name.text))
    endTurn(now)
    return network.id
  }

  /// A network goes only when nothing is connected to it any more: a guest does not lose its network by a typing error.
  func deleteNetwork(_ reference: String) throws {
    let now = Reactor.now()
    let network = try registry.findNetwork(reference)
    let users = registry.bindings(of: network.id)
    var hosts = Set(users.filter { !$0.isHidden }.map { name(of: $0.host) })
    hosts.formUnion(registry.floodList(network.id).map { name(of: $0) })
    if hasVIF(network.id) { hosts.insert(around.name.text) }
    guard hosts.isEmpty else {
      throw APIError(
        .conflict,
        "Network \(network.name) has VIFs on \(hosts.sorted().joined(separator: ", ")): take them out of its bridge \(network.bridge) first."
      )
    }
    perform(try registry.deleteNetwork(network.id, now: now, sign: identity.sign), now: now)
    around.tell(
      Event(kind: "networkDeleted", message: "Network \(network.name) was deleted.", network: network.name.text))
    endTurn(now)
  }

  /// Whether every live host has said how the network stands there.
  func isSettled(_ id: NetworkID) -> Bool {
    guard let network = registry.network(id) else { return true }
    let told = Set(network.standing).union(network.problems.map(\.host))
    let live = membership.members.filter { $0.state == .alive || $0.state == .suspect }.map(\.host)
    return ([identity.hostID] + live).allSatisfy(told.contains)
  }

  /// Returns when `isDone`, which is asked at the end of each turn, or at the deadline.
  ///
  /// - Returns: whether it was done in time.
  @discardableResult
  func wait(until deadline: Instant, _ isDone: @escaping () -> Bool) -> AsyncStream<Bool> {
    let (stream, continuation) = AsyncStream.makeStream(of: Bool.self)
    if isDone() {
      continuation.yield(true)
      continuation.finish()
      return stream
    }
    waiters.append(
      Waiter(
        deadline: deadline, isDone: isDone,
        resume: { done in
          continuation.yield(done)
          continuation.finish()
        }))
    endTurn(Reactor.now())
    return stream
  }
}
