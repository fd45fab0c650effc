import CNetlink
import Wire

extension XFRMState {
  /// `XFRM_MSG_NEWSA`: refused by the kernel if a state with this destination and SPI stands.
  func message() -> NetlinkMessage {
    var message = NetlinkMessage(type: Int(XFRM_MSG_NEWSA), flags: NLM_F_CREATE | NLM_F_EXCL, information)
    message.put(XFRMA_ALG_AEAD.rawValue, bytes: algorithmBytes)
    message.put(XFRMA_REPLAY_ESN_VAL.rawValue, bytes: Self.replayBytes)
    if let encapsulation { message.put(XFRMA_ENCAP.rawValue, bytes: encapsulation.bytes) }
    return message
  }

  private var information: xfrm_usersa_info {
    var information = xfrm_usersa_info()
    information.id = XFRMAddress.identifier(destination, spi: spi)
    information.saddr = XFRMAddress.kernel(source)
    information.family = XFRMAddress.family(source.isV6)
    information.reqid = requestID
    information.mode = UInt8(XFRM_MODE_TRANSPORT)
    information.flags = UInt8(XFRM_STATE_ESN)
    information.lft = XFRMLifetime.unlimited
    // The window is in the attribute; the kernel refuses both.
    information.replay_window = 0
    return information
  }

  /// `struct xfrm_algo_aead`: the name in 64 bytes, the lengths of key and ICV in bits, the key.
  private var algorithmBytes: [UInt8] {
    let name = Array(Self.algorithm.utf8)
    var bytes = name + [UInt8](repeating: 0, count: 64 - name.count)
    withUnsafeBytes(of: UInt32(key.count * 8)) { bytes.append(contentsOf: $0) }
    withUnsafeBytes(of: Self.icvLength) { bytes.append(contentsOf: $0) }
    return bytes + key
  }

  /// `struct xfrm_replay_state_esn` with its bitmap: everything at its start.
  private static var replayBytes: [UInt8] {
    var head = xfrm_replay_state_esn()
    head.bmp_len = replayWindow / 32
    head.replay_window = replayWindow
    var bytes = withUnsafeBytes(of: head) { Array($0) }
    bytes += [UInt8](repeating: 0, count: Int(replayWindow / 8))
    return bytes
  }

  /// From `XFRM_MSG_NEWSA`. nil for what is no ESP state, is too short, or is only the kernel's note that it asked an
  /// IKE daemon for keys.
  static func read(_ payload: UnsafeRawBufferPointer) -> (state: XFRMState, use: XFRMUse)? {
    let size = MemoryLayout<xfrm_usersa_info>.size
    guard payload.count >= size else { return nil }
    let information = payload.loadUnaligned(as: xfrm_usersa_info.self)
    guard information.id.proto == UInt8(IPPROTO_ESP), let isV6 = XFRMAddress.isV6(information.family) else {
      return nil
    }
    var state = XFRMState(
      source: XFRMAddress.address(information.saddr, isV6: isV6),
      destination: XFRMAddress.address(information.id.daddr, isV6: isV6),
      spi: UInt32(bigEndian: information.id.spi), requestID: information.reqid, key: [])
    var use = XFRMUse(
      packets: information.curlft.packets, bytes: information.curlft.bytes, replayed: information.stats.replay,
      late: information.stats.replay_window, integrityFailures: information.stats.integrity_failed, lastUsed: nil)
    var found = Found()
    for attribute in Attributes(payload, after: size) {
      switch attribute.type {
      case Int(XFRMA_ALG_AEAD.rawValue): found.takeAlgorithm(attribute, &state.key)
      case Int(XFRMA_REPLAY_ESN_VAL.rawValue): found.takeReplay(attribute)
      case Int(XFRMA_ENCAP.rawValue):
        state.encapsulation = XFRMEncapsulation(attribute)
        // Other ports than ours are shown, and are not as made.
        if state.encapsulation != .weft { found.isStrange = true }
      case Int(XFRMA_LASTUSED.rawValue): use.lastUsed = attribute.u64
      case Int(XFRMA_PAD.rawValue): break
      case Int(XFRMA_ALG_CRYPT.rawValue), Int(XFRMA_ALG_AUTH.rawValue), Int(XFRMA_ALG_AUTH_TRUNC.rawValue):
        found.hasAlgorithm = true
        found.isStrange = true
      default: found.isStrange = true
      }
    }
    guard found.hasAlgorithm else { return nil }
    state.isAsMade =
      found.isOurAlgorithm && found.isOurReplay && !found.isStrange && state.isSame(as: information, isV6: isV6)
    return (state, use)
  }

  /// Whether the fixed part is what `information` makes.
  private func isSame(as other: xfrm_usersa_info, isV6: Bool) -> Bool {
    let own = information
    return other.family == own.family && other.mode == own.mode && other.flags == own.flags
      && other.replay_window == own.replay_window && XFRMLifetime.isUnlimited(other.lft)
      && XFRMSelector.selectsAll(other.sel, isV6: isV6)
  }

  /// What of a state's attributes was there.
  private struct Found {
    var hasAlgorithm = false
    var isOurAlgorithm = false
    var isOurReplay = false
    var isStrange = false

    mutating func takeAlgorithm(_ attribute: Attribute, _ key: inout [UInt8]) {
      hasAlgorithm = true
      guard attribute.bytes.count >= 72 else { return }
      let bits = attribute.bytes.loadUnaligned(fromByteOffset: 64, as: UInt32.self)
      let icv = attribute.bytes.loadUnaligned(fromByteOffset: 68, as: UInt32.self)
      key = Array(attribute.bytes[72...])
      isOurAlgorithm =
        attribute.text == XFRMState.algorithm && bits == UInt32(XFRMState.keyLength * 8)
        && icv == XFRMState.icvLength && key.count == XFRMState.keyLength
    }

    mutating func takeReplay(_ attribute: Attribute) {
      guard attribute.bytes.count >= MemoryLayout<xfrm_replay_state_esn>.size else { return }
      let replay = attribute.bytes.loadUnaligned(as: xfrm_replay_state_esn.self)
      isOurReplay = replay.replay_window == XFRMState.replayWindow && replay.bmp_len == XFRMState.replayWindow / 32
    }
  }
}
