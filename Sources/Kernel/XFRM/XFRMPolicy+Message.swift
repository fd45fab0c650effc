import CNetlink
import Wire

extension XFRMPolicy {
  /// `XFRM_MSG_UPDPOLICY`: makes the policy, or replaces the one with the same selector without a gap.
  func message() -> NetlinkMessage {
    var message = NetlinkMessage(type: Int(XFRM_MSG_UPDPOLICY), flags: 0, information)
    if let template { message.put(XFRMA_TMPL.rawValue, structure: template) }
    return message
  }

  /// `XFRM_MSG_GETPOLICY` or `XFRM_MSG_DELPOLICY` of what stands with this selector, whosever it is.
  func request(_ type: Int) -> NetlinkMessage {
    var id = xfrm_userpolicy_id()
    id.sel = XFRMSelector.kernel(self)
    id.dir = kernelDirection
    return NetlinkMessage(type: type, flags: 0, id)
  }

  private var kernelDirection: UInt8 {
    UInt8(direction == .input ? XFRM_POLICY_IN : XFRM_POLICY_OUT)
  }

  private var information: xfrm_userpolicy_info {
    var information = xfrm_userpolicy_info()
    information.sel = XFRMSelector.kernel(self)
    information.lft = XFRMLifetime.unlimited
    information.dir = kernelDirection
    information.share = UInt8(XFRM_SHARE_ANY)
    switch action {
    case .block:
      information.action = UInt8(XFRM_POLICY_BLOCK)
      information.priority = XFRMMark.blockPriority
    case .protect:
      information.action = UInt8(XFRM_POLICY_ALLOW)
      information.priority = XFRMMark.protectPriority
    }
    return information
  }

  private var template: xfrm_user_tmpl? {
    guard case .protect(let source, let destination, let spi) = action else { return nil }
    var template = xfrm_user_tmpl()
    template.id = XFRMAddress.identifier(destination, spi: spi ?? 0)
    template.saddr = XFRMAddress.kernel(source)
    template.family = XFRMAddress.family(source.isV6)
    template.reqid = XFRMMark.requestID
    template.mode = UInt8(XFRM_MODE_TRANSPORT)
    // Which algorithms is the state's matter.
    template.aalgos = .max
    template.ealgos = .max
    template.calgos = .max
    return template
  }

  /// A policy as the kernel shows it.
  struct Standing {
    /// As this release makes it; nil if it differs in anything, or is somebody else's.
    var policy: XFRMPolicy?
    /// Marked as ours, though it may have been changed by hand.
    var isOurs: Bool
    /// How to name it to the kernel.
    var id: xfrm_userpolicy_id
  }

  /// From `XFRM_MSG_NEWPOLICY`, also where a notice of removal has it inside. nil if it is too short.
  static func read(_ payload: UnsafeRawBufferPointer) -> Standing? {
    let size = MemoryLayout<xfrm_userpolicy_info>.size
    guard payload.count >= size else { return nil }
    return standing(payload.loadUnaligned(as: xfrm_userpolicy_info.self), Attributes(payload, after: size))
  }

  static func standing(_ information: xfrm_userpolicy_info, _ attributes: Attributes) -> Standing {
    var templates: [xfrm_user_tmpl] = []
    var isStrange = false
    for attribute in attributes {
      switch attribute.type {
      case Int(XFRMA_TMPL.rawValue):
        let size = MemoryLayout<xfrm_user_tmpl>.stride
        for start in stride(from: 0, through: attribute.bytes.count - size, by: size) {
          templates.append(attribute.bytes.loadUnaligned(fromByteOffset: start, as: xfrm_user_tmpl.self))
        }
      case Int(XFRMA_POLICY_TYPE.rawValue):
        if attribute.u8 != UInt8(XFRM_POLICY_TYPE_MAIN) { isStrange = true }
      case Int(XFRMA_PAD.rawValue), Int(XFRMA_POLICY.rawValue): break
      default: isStrange = true
      }
    }
    var id = xfrm_userpolicy_id()
    id.sel = information.sel
    id.index = information.index
    id.dir = information.dir
    let isBlock =
      templates.isEmpty && information.priority == XFRMMark.blockPriority && XFRMSelector.isWide(information.sel)
      && XFRMSelector.traffic(information.sel) != nil
    let isOurs = isBlock || templates.contains { $0.reqid == XFRMMark.requestID }
    let policy = isStrange || !isOurs ? nil : interpretation(information, templates)
    return Standing(policy: policy, isOurs: isOurs, id: id)
  }

  /// The policy that makes exactly this.
  private static func interpretation(_ information: xfrm_userpolicy_info, _ templates: [xfrm_user_tmpl]) -> XFRMPolicy?
  {
    guard let traffic = XFRMSelector.traffic(information.sel), let isV6 = XFRMAddress.isV6(information.sel.family),
      let direction = direction(information.dir)
    else { return nil }
    let action: Action
    if templates.isEmpty {
      action = .block(isV6: isV6)
    } else {
      guard let template = templates.first, let ends = XFRMSelector.ends(information.sel, isV6: isV6) else {
        return nil
      }
      let spi = UInt32(bigEndian: template.id.spi)
      action = .protect(source: ends.source, destination: ends.destination, spi: spi == 0 ? nil : spi)
    }
    let policy = XFRMPolicy(direction: direction, traffic: traffic, action: action)
    return policy.makes(information, templates) ? policy : nil
  }

  private static func direction(_ kernel: UInt8) -> Direction? {
    switch Int(kernel) {
    case XFRM_POLICY_IN: .input
    case XFRM_POLICY_OUT: .output
    default: nil
    }
  }

  private func makes(_ other: xfrm_userpolicy_info, _ templates: [xfrm_user_tmpl]) -> Bool {
    let own = information
    guard other.priority == own.priority, other.action == own.action, other.flags == own.flags,
      other.share == own.share, XFRMLifetime.isUnlimited(other.lft), templates.count == (template == nil ? 0 : 1)
    else { return false }
    if case .block = action { return XFRMSelector.isWide(other.sel) }
    guard let own = template, let other = templates.first else { return false }
    let isV6 = own.family == XFRMAddress.family(true)
    func ends(_ template: xfrm_user_tmpl) -> [IPAddress] {
      [XFRMAddress.address(template.saddr, isV6: isV6), XFRMAddress.address(template.id.daddr, isV6: isV6)]
    }
    return ends(other) == ends(own) && other.family == own.family && other.id.spi == own.id.spi
      && other.id.proto == own.id.proto && other.reqid == own.reqid && other.mode == own.mode
      && other.share == own.share && other.optional == own.optional && other.aalgos == own.aalgos
      && other.ealgos == own.ealgos && other.calgos == own.calgos
  }
}
