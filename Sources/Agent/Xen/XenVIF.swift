import Wire

/// What xenstore says about one virtual interface of a guest.
package struct XenVIF: Equatable, Sendable {
  /// Which one: domain X and device Y of `vifX.Y`.
  package struct ID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let domain: UInt32
    package let device: UInt32

    package init(domain: UInt32, device: UInt32) {
      self.domain = domain
      self.device = device
    }

    /// Of `vifX.Y`, `vifX.Y-emu` or `tapX.Y`; nil for other names.
    package init?(interface: String) {
      let isTap = interface.hasPrefix("tap")
      guard isTap || interface.hasPrefix("vif") else { return nil }
      var rest = interface.dropFirst(3)
      if !isTap, rest.hasSuffix("-emu") { rest = rest.dropLast(4) }
      let numbers = rest.split(separator: ".", omittingEmptySubsequences: false)
      guard numbers.count == 2, let domain = Self.number(numbers[0]), let device = Self.number(numbers[1]) else {
        return nil
      }
      self.init(domain: domain, device: device)
    }

    /// Digits only, as the kernel and xenstore write them.
    static func number(_ text: some StringProtocol) -> UInt32? {
      guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
      return UInt32(text)
    }

    /// The name of its interface in dom0.
    package var description: String { "vif\(domain).\(device)" }

    package static func < (left: Self, right: Self) -> Bool {
      (left.domain, left.device) < (right.domain, right.device)
    }
  }

  /// The state of the backend (Xen's `xen/include/public/io/xenbus.h`).
  package enum State: UInt8, Sendable {
    case unknown = 0
    case initialising = 1
    case initWait = 2
    case initialised = 3
    /// The guest's driver has connected: the guest runs.
    case connected = 4
    case closing = 5
    case closed = 6
    case reconfiguring = 7
    case reconfigured = 8
  }

  package let id: ID
  /// The guest's MAC address; nil while it is not written.
  package let mac: MACAddress?
  package let state: State
  /// The VM as its domain is named, at most 255 bytes without control characters; nil while it is not written.
  package let vm: String?

  package init(id: ID, mac: MACAddress?, state: State, vm: String?) {
    self.id = id
    self.mac = mac
    self.state = state
    self.vm = vm
  }
}
