extension API {
  package enum BindingState: String, Codable, Sendable, CaseIterable {
    /// Its interface is in the bridge; nothing says that the guest runs there.
    case present
    /// The guest runs there.
    case live
  }

  /// Another live claim on a MAC that has an owner.
  package struct Rival: Codable, Sendable, Equatable {
    /// The host's name.
    package var host: String
    @Nullable package var sequence: UInt64?
    @Nullable package var vif: String?
    @Nullable package var vm: String?

    package init(host: String, sequence: UInt64?, vif: String?, vm: String?) {
      self.host = host
      self.sequence = sequence
      self.vif = vif
      self.vm = vm
    }
  }

  /// Where a MAC of a network lives.
  package struct Binding: Codable, Sendable, Equatable {
    package var mac: String
    /// The network's name.
    package var network: String
    package var networkId: String
    /// The name of the host that owns it.
    package var host: String
    package var hostId: String
    package var state: BindingState
    /// How often it has moved; nil while only present.
    @Nullable package var sequence: UInt64?
    package var ips: [String]
    /// The interface in the host's dom0.
    @Nullable package var vif: String?
    /// The guest's name, where Xen tells it.
    @Nullable package var vm: String?
    /// Two VIFs use the MAC at once; `rivals` has the others.
    package var duplicate: Bool
    package var rivals: [Rival]
    /// Its host is dead: traffic still goes there until another host claims it.
    package var hidden: Bool
    /// It moved too often: claims rest until one is withdrawn or 30 minutes pass.
    package var damped: Bool

    package init(
      mac: String, network: String, networkId: String, host: String, hostId: String, state: BindingState,
      sequence: UInt64?, ips: [String] = [], vif: String? = nil, vm: String? = nil, duplicate: Bool = false,
      rivals: [Rival] = [], hidden: Bool = false, damped: Bool = false
    ) {
      self.mac = mac
      self.network = network
      self.networkId = networkId
      self.host = host
      self.hostId = hostId
      self.state = state
      self.sequence = sequence
      self.ips = ips
      self.vif = vif
      self.vm = vm
      self.duplicate = duplicate
      self.rivals = rivals
      self.hidden = hidden
      self.damped = damped
    }
  }
}
