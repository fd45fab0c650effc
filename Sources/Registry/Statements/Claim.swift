import Wire

/// What a host says about one MAC of one network.
package struct Claim: Hashable, Sendable {
  package enum State: UInt8, Sendable {
    /// The MAC's interface is in the bridge here; it owns nothing. `sequence` remembers the last one claimed here.
    case present = 1
    /// The guest runs here.
    case live = 2
    /// It does no more, and its interface is gone.
    case withdrawn = 3
    /// The guest seems to run here, but the MAC moves too often: `sequence` stays where it is.
    case damped = 4
  }

  package var state: State
  package var sequence: MobilitySequence
  /// Addresses seen in ARP and neighbour discovery, in order.
  package var ips: [IPAddress]
  package var vif: String
  package var vm: String
  /// The hypervisor says that this VIF has this MAC; otherwise only frames say so.
  package var isBackedByXen: Bool
  /// The guest transmits here although another host claims the MAC, or on several VIFs of this host.
  package var isContested: Bool
  /// The other VIFs of this host that transmit with the MAC.
  package var others: [OtherVIF]

  package struct OtherVIF: Hashable, Sendable {
    package var vif: String
    package var vm: String

    package init(vif: String, vm: String) {
      self.vif = vif
      self.vm = vm
    }
  }

  /// Few enough that a claim always fits a datagram.
  static let maximumIPs = 16
  static let maximumOthers = 2
  static let maximumNameSize = 255

  package init(
    state: State, sequence: MobilitySequence, ips: [IPAddress] = [], vif: String = "", vm: String = "",
    isBackedByXen: Bool = false, isContested: Bool = false, others: [OtherVIF] = []
  ) {
    self.state = state
    self.sequence = sequence
    self.ips = ips
    self.vif = vif
    self.vm = vm
    self.isBackedByXen = isBackedByXen
    self.isContested = isContested
    self.others = others
  }

  /// Whether the claim takes part in deciding who owns the MAC.
  package var contends: Bool { state == .live || state == .damped }

  package var bytes: [UInt8] {
    var writer = FieldWriter()
    writer.append(1, state.rawValue)
    if sequence.value > 0 { writer.append(2, sequence.value) }
    if !ips.isEmpty { writer.append(3, Array(ips.prefix(Self.maximumIPs))) }
    if !vif.isEmpty { writer.append(4, vif.prefixed(Self.maximumNameSize)) }
    if !vm.isEmpty { writer.append(5, vm.prefixed(Self.maximumNameSize)) }
    let flags: UInt8 = (isBackedByXen ? 1 : 0) | (isContested ? 2 : 0)
    if flags != 0 { writer.append(6, flags) }
    if !others.isEmpty {
      var list = ByteWriter()
      for other in others.prefix(Self.maximumOthers) {
        list.append(other.vif.prefixed(15))
        list.append(other.vm.prefixed(63))
      }
      writer.append(7, list.bytes)
    }
    return writer.bytes
  }

  /// A state of a newer release reads as `present`, which owns nothing.
  package init(bytes: [UInt8]) throws(WireError) {
    let fields = try FieldTable(bytes)
    guard let state = try fields.uint8(1, "claim state") else { throw .invalid("claim state") }
    self.state = State(rawValue: state) ?? .present
    sequence = MobilitySequence(try fields.uint64(2, "mobility sequence") ?? 0)
    ips = try fields.addresses(3, maximum: 255, "IP addresses")
    vif = try fields.text(4, maximum: Self.maximumNameSize, "VIF") ?? ""
    vm = try fields.text(5, maximum: Self.maximumNameSize, "VM") ?? ""
    let flags = try fields.uint8(6, "claim flags") ?? 0
    isBackedByXen = flags & 1 != 0
    isContested = flags & 2 != 0
    others = []
    var reader = ByteReader(fields.bytes(7) ?? [])
    while !reader.isAtEnd {
      guard others.count < 16 else { throw .invalid("other VIFs") }
      others.append(OtherVIF(vif: try reader.readString("VIF"), vm: try reader.readString("VM")))
    }
  }
}
