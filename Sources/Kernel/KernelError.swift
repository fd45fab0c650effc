import Glibc

/// Why the kernel did not do what it was asked, with a sentence that says what to do about it.
package enum KernelError: Error, Equatable, Sendable {
  /// The kernel refused.
  ///
  /// - Parameters:
  ///   - operation: what was tried, as in "create the VXLAN device".
  ///   - object: the device or entry that it was about.
  ///   - code: the errno, positive.
  ///   - message: the kernel's own explanation (extended acknowledgement), if it gave one.
  ///   - part: where the object is, which advice depends on.
  case refused(operation: String, object: String, code: Int32, message: String?, part: KernelPart = .interfaces)
  /// A device of that name stands and is not ours: its alias is `alias`, its kind `kind`.
  case foreign(name: String, kind: String?, alias: String?)
  /// A device of ours stands, but with something that cannot be changed while it lives (`what`).
  case unchangeable(name: String, what: String)
  /// No device has this name or number.
  case absent(String)
  /// What `--underlay` named cannot be the end of tunnels.
  case underlay(String)
  /// The kernel answered with something that this release cannot read.
  case malformed(String)
  /// A program that is needed could not be run, or failed and said `said`.
  case program(name: String, said: String)

  /// The errno of a refusal.
  package var code: Int32? { if case .refused(_, _, let code, _, _) = self { code } else { nil } }

  /// The thing is already gone: the aim of a removal is reached.
  package var meansGone: Bool {
    switch self {
    case .refused(_, _, let code, _, _): code == ENOENT || code == ENODEV || code == ESRCH
    case .absent: true
    default: false
    }
  }
}

extension KernelError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .refused(let operation, let object, let code, let message, let part):
      let said = message.map { " The kernel says: \($0)." } ?? ""
      return "Could not \(operation) \(object): \(String(cString: strerror(code))) (errno \(code)).\(said) "
        + Self.advice(code, part)
    case .foreign(let name, let kind, let alias):
      let owner = alias.map { "its alias is '\($0)'" } ?? "it has no alias"
      return "A device named \(name) (\(kind ?? "no special kind")) stands already and is not Weft's: \(owner). "
        + "Remove or rename it, or give the network another bridge with --bridge."
    case .unchangeable(let name, let what):
      return
        "The device \(name) stands with another \(what), which cannot be changed while it lives; it has to be made anew."
    case .absent(let name): return "There is no interface \(name) on this host: check the name with 'ip link'."
    case .underlay(let sentence): return sentence
    case .malformed(let what): return "The kernel's answer could not be read (\(what)): report this as a bug of Weft."
    case .program(let name, let said): return "The command \(name) failed: \(said). Install it or repair what it names."
    }
  }

  private static func advice(_ code: Int32, _ part: KernelPart) -> String {
    switch code {
    case EPERM, EACCES: "Run weftd as root, or with CAP_NET_ADMIN and CAP_NET_RAW."
    case EBUSY: "Something else holds it: look with \(part.shownBy) and remove what stands in the way."
    case EADDRINUSE: "Its UDP port or address is in use: look with 'ss -lunp' and 'ip -d link' and free it."
    case EEXIST where part == .interfaces:
      "Something with this name or number stands already: look with \(part.shownBy) and remove it, or choose another."
    case EEXIST: "Another one stands in its place: look with \(part.shownBy) and remove it."
    case EOPNOTSUPP, EAFNOSUPPORT, EPROTONOSUPPORT, ENOSYS:
      "This kernel cannot do it: load the module that it needs, or see 'weft doctor' for what this host can do."
    case ENODEV, ENOENT, ESRCH: "It went away meanwhile; it is put back at the next check if it is wanted."
    case EADDRNOTAVAIL: "The address is not on this host: check it with 'ip address' and --underlay."
    case EINVAL where part == .ipsec || part == .packetFilter:
      "This kernel takes it in no such form: see 'weft doctor' for what this host can do."
    case EINVAL, ERANGE: "The kernel takes no such value: check MTU, VNI and addresses of the network."
    case ENOMEM, ENOBUFS: "The kernel is short of memory: free some; it is tried again at the next check."
    default: "See 'weft doctor' and the kernel log ('dmesg')."
    }
  }
}
