import Glibc
import Wire

/// Tries, with real frames in the calling thread's namespace, what protects encrypted networks: ESP and each of the two
/// locks by itself. A lock holds if a frame put into a tunnel device does not leave, and a clear tunnel packet from
/// outside does not reach the device, while the same frames do pass without it.
final class ProtectionTrial {
  /// How long a frame that is to pass may take, in milliseconds.
  private static let patience = 200
  /// How long a frame that is not to pass is waited for, after one that was sent later has passed.
  private static let margin: UInt32 = 2000

  private let xfrm: KernelXFRM
  private let underlay: TrialUnderlay
  private let tunnels: [TrialTunnel]
  private let udpPort: UInt16
  private var number: UInt64 = 0
  /// What was last put into the tunnels.
  private var lastMarkers: [[UInt8]] = []

  /// - Parameter tunnels: those that this kernel has, all over one family; each has to be protected.
  init(_ underlay: TrialUnderlay, _ tunnels: [TrialTunnel], udpPort: UInt16) throws(KernelError) {
    xfrm = try KernelXFRM()
    self.underlay = underlay
    self.tunnels = tunnels
    self.udpPort = udpPort
  }

  /// Without any lock everything passes; otherwise nothing is proven by what does not.
  func tryClear() throws(KernelError) {
    let out = sendOut()
    for (tunnel, passage) in zip(tunnels, out) where !passage.isClear {
      throw Self.unproven(
        "the locks of \(tunnel.description), since nothing of it leaves even without them")
    }
    for (tunnel, hasArrived) in zip(tunnels, sendIn()) where !hasArrived {
      throw Self.unproven(
        "the locks of \(tunnel.description), since nothing of it arrives even without them")
    }
  }

  /// The wide blocks alone, and with policies that protect but no SA.
  func tryPolicyLock() throws(KernelError) {
    defer { _ = xfrm.remove(blocks + protections(spi: nil) + outbound(spi: nil)) }
    try set(blocks)
    try expectClosed("XFRM policies that block")
    try set(protections(spi: nil) + outbound(spi: 0x100))
    try expectClosed("XFRM policies without an SA")
  }

  func tryFilterLock() throws(KernelError) {
    let lock = try PacketFilterLock()
    let keys = tunnels.compactMap { tunnel -> UInt32? in
      if case .gre(let key) = tunnel.traffic { key } else { nil }
    }
    try lock.ensure(udpPort: udpPort, greKeys: Set(keys))
    let outcome: KernelError?
    do throws(KernelError) {
      try expectClosed("the packet filter")
      outcome = nil
    } catch {
      outcome = error
    }
    try lock.remove()
    if let outcome { throw outcome }
  }

  /// With an SA what goes into a tunnel leaves as ESP by that SA, and none of it in clear.
  func tryESP() throws(KernelError) {
    guard let tunnel = tunnels.first else { return }
    let spi: UInt32 = 0x200
    do {
      try xfrm.add(XFRMState(source: tunnel.local, destination: tunnel.remote, spi: spi, key: Self.makeKey()))
    } catch {
      throw ESPModules.explain(error)
    }
    let protection = outbound(spi: spi)
    defer { _ = xfrm.remove(blocks + protection) }
    try set(blocks + protection)
    for (tunnel, passage) in zip(tunnels, sendOut()) {
      if passage.isClear { throw Self.unproven("ESP for \(tunnel.description): a frame left in clear") }
      if !passage.spis.contains(spi) { throw Self.unproven("ESP for \(tunnel.description): no frame left") }
    }
    try xfrm.remove(source: tunnel.local, destination: tunnel.remote, spi: spi)
  }

  /// The same in UDP, and what left comes in again when the other host sends it, although the blocks stand.
  func tryESPInUDP() throws(KernelError) {
    guard let tunnel = tunnels.first else { return }
    let socket = try ESPInUDPSocket(local: tunnel.local)
    defer { withExtendedLifetime(socket) {} }
    let spi: UInt32 = 0x300
    // One key for both directions, so that a packet of ours is one of the other host's as well.
    let key = Self.makeKey()
    let ends = [(tunnel.local, tunnel.remote), (tunnel.remote, tunnel.local)]
    do {
      for (source, destination) in ends {
        try xfrm.add(
          XFRMState(source: source, destination: destination, spi: spi, key: key, encapsulation: .weft))
      }
    } catch {
      throw ESPModules.explain(error)
    }
    let protection = protections(spi: nil) + outbound(spi: spi)
    defer { _ = xfrm.remove(blocks + protection) }
    try set(blocks + protection)
    var sent: [[UInt8]] = []
    for (tunnel, passage) in zip(tunnels, sendOut()) {
      if passage.isClear { throw Self.unproven("ESP in UDP for \(tunnel.description): a frame left in clear") }
      if passage.inUDP.isEmpty { throw Self.unproven("ESP in UDP for \(tunnel.description): no frame left") }
      sent = passage.inUDP
    }
    for (tunnel, hasArrived) in zip(tunnels, sendBack(sent)) where !hasArrived {
      throw Self.unproven("ESP in UDP for \(tunnel.description): no frame came in")
    }
    for (source, destination) in ends { try xfrm.remove(source: source, destination: destination, spi: spi) }
  }

  private static func makeKey() -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<XFRMState.keyLength).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }

  // MARK: Policies

  private var blocks: [XFRMPolicy] {
    tunnels.flatMap { tunnel in
      [XFRMPolicy.Direction.input, .output].map {
        XFRMPolicy(direction: $0, traffic: tunnel.traffic, action: .block(isV6: tunnel.isV6))
      }
    }
  }

  private func protections(spi: UInt32?) -> [XFRMPolicy] {
    tunnels.map {
      XFRMPolicy(
        direction: .input, traffic: $0.traffic,
        action: .protect(source: $0.remote, destination: $0.local, spi: spi))
    }
  }

  private func outbound(spi: UInt32?) -> [XFRMPolicy] {
    tunnels.map {
      XFRMPolicy(
        direction: .output, traffic: $0.traffic,
        action: .protect(source: $0.local, destination: $0.remote, spi: spi))
    }
  }

  private func set(_ policies: [XFRMPolicy]) throws(KernelError) {
    if let failure = xfrm.replace(policies).first { throw failure.error }
  }

  // MARK: Frames

  private static func unproven(_ what: String) -> KernelError {
    .refused(operation: "prove", object: what, code: EOPNOTSUPP, message: nil)
  }

  private func expectClosed(_ lock: String) throws(KernelError) {
    for (tunnel, passage) in zip(tunnels, sendOut())
    where passage.isClear || !passage.spis.isEmpty || !passage.inUDP.isEmpty {
      throw Self.unproven("that no frame of \(tunnel.description) leaves past \(lock): one did")
    }
    for (tunnel, hasArrived) in zip(tunnels, sendIn()) where hasArrived {
      throw Self.unproven("that no clear frame of \(tunnel.description) comes in past \(lock): one did")
    }
  }

  /// What the witness saw of a frame.
  private struct Passage {
    var isClear = false
    /// Of ESP packets; those of all tunnels.
    var spis: Set<UInt32> = []
    /// The frames that hold ESP in UDP; those of all tunnels.
    var inUDP: [[UInt8]] = []
  }

  private func makeMarker() -> [UInt8] {
    number += 1
    return Array("Weft tries ".utf8) + withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  /// Puts a frame into each tunnel device, then one straight onto the underlay, and looks what comes out at the other
  /// end.
  private func sendOut() -> [Passage] {
    _ = underlay.witness.receive()
    let markers = tunnels.map { _ in makeMarker() }
    for (tunnel, marker) in zip(tunnels, markers) {
      tunnel.socket.send(TrialPacket.frame(marker, source: underlay.mac))
    }
    lastMarkers = markers
    let last = makeMarker()
    underlay.inside.send(TrialPacket.frame(last, source: underlay.mac))
    var passages = tunnels.map { _ in Passage() }
    look { [self] in
      var hasSeenLast = false
      for frame in underlay.witness.receive() {
        if TrialPacket.contains(frame, last) { hasSeenLast = true }
        let esp = TrialPacket.esp(frame)
        for index in passages.indices {
          if TrialPacket.contains(frame, markers[index]) { passages[index].isClear = true }
          guard let esp else { continue }
          if esp.isInUDP { passages[index].inUDP.append(frame) } else { passages[index].spis.insert(esp.spi) }
        }
      }
      return hasSeenLast
    }
    return passages
  }

  /// Sends a clear packet to each tunnel from the far end, and looks which come out of the devices.
  private func sendIn() -> [Bool] {
    let markers = tunnels.map { _ in makeMarker() }
    let frames = zip(tunnels, markers).map { tunnel, marker in
      TrialPacket.tunnelled(
        TrialPacket.frame(marker, source: underlay.peer), by: tunnel, to: underlay.mac, from: underlay.peer)
    }
    return sendIn(frames, markers)
  }

  /// Sends from the far end what had left as ESP, and looks whether what is in it comes out of the devices: each carries
  /// what was put into it.
  private func sendBack(_ sent: [[UInt8]]) -> [Bool] {
    sendIn(sent.map(TrialPacket.reflected), lastMarkers)
  }

  /// Sends frames from the far end, then another one, and looks whether each tunnel device gives out its marker.
  private func sendIn(_ frames: [[UInt8]], _ markers: [[UInt8]]) -> [Bool] {
    _ = underlay.inside.receive()
    for tunnel in tunnels { _ = tunnel.socket.receive() }
    for frame in frames { underlay.witness.send(frame) }
    let last = makeMarker()
    underlay.witness.send(TrialPacket.frame(last, source: underlay.peer))
    var hasArrived = tunnels.map { _ in false }
    look { [self] in
      for (index, tunnel) in tunnels.enumerated()
      where tunnel.socket.receive().contains(where: { TrialPacket.contains($0, markers[index]) }) {
        hasArrived[index] = true
      }
      return underlay.inside.receive().contains { TrialPacket.contains($0, last) }
    }
    return hasArrived
  }

  /// Looks until the last frame has come, and once more a little later: what was sent before it had its chance then.
  private func look(_ once: () -> Bool) {
    for _ in 0..<Self.patience {
      if once() { break }
      usleep(1000)
    }
    usleep(Self.margin)
    _ = once()
  }
}
