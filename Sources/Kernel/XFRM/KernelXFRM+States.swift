import CNetlink
import Glibc
import Wire

extension KernelXFRM {
  /// Every state of ours with what it has done.
  package func states() throws(KernelError) -> [(state: XFRMState, use: XFRMUse)] {
    try allStates().filter { $0.state.requestID == XFRMMark.requestID }
  }

  /// Adds a state. One that goes in UDP takes packets only while an `ESPInUDPSocket` stands at its destination.
  ///
  /// - Throws: `.refused` with EEXIST if one with this destination and SPI stands, whosever it is.
  package func add(_ state: XFRMState) throws(KernelError) {
    guard state.key.count == XFRMState.keyLength, state.source.isV6 == state.destination.isV6, state.spi >= 256,
      state.requestID == XFRMMark.requestID, state.encapsulation == nil || state.encapsulation == .weft
    else {
      throw .refused(
        operation: "add the SA", object: state.description, code: EINVAL,
        message: "a key has 36 bytes, an SPI is 256 or more, both addresses are of one family, and ESP goes in UDP "
          + "from and to port \(ESPInUDPSocket.port) or not at all", part: .ipsec)
    }
    defer { socket.wipe() }
    try socket.perform(state.message(), "add the SA", state.description)
  }

  /// Removes a state of ours; one that does not stand is fine.
  ///
  /// - Throws: `.refused` with EPERM if the one that stands is not ours.
  package func remove(source: VTEP, destination: VTEP, spi: UInt32) throws(KernelError) {
    let name = XFRMState(source: source, destination: destination, spi: spi, key: []).description
    guard let owner = try owner(destination: destination, spi: spi) else { return }
    guard owner.requestID == XFRMMark.requestID, owner.source == source else {
      throw .refused(
        operation: "remove the SA", object: name, code: EPERM, message: "it belongs to another program",
        part: .ipsec)
    }
    do {
      try socket.perform(Self.request(XFRM_MSG_DELSA, destination, spi), "remove the SA", name)
    } catch {
      if !error.meansGone { throw error }
    }
  }

  private func owner(destination: VTEP, spi: UInt32) throws(KernelError) -> (requestID: UInt32, source: VTEP)? {
    defer { socket.wipe() }
    do throws(KernelError) {
      let found = try socket.dump(Self.request(XFRM_MSG_GETSA, destination, spi), "the SA") { type, payload in
        type == Int(XFRM_MSG_NEWSA) ? Self.owner(payload) : nil
      }
      return found.first
    } catch {
      if error.meansGone { return nil }
      throw error
    }
  }

  private static func owner(_ payload: UnsafeRawBufferPointer) -> (requestID: UInt32, source: VTEP)? {
    guard payload.count >= MemoryLayout<xfrm_usersa_info>.size else { return nil }
    let information = payload.loadUnaligned(as: xfrm_usersa_info.self)
    guard let isV6 = XFRMAddress.isV6(information.family) else { return nil }
    return (information.reqid, XFRMAddress.address(information.saddr, isV6: isV6))
  }

  private static func request(_ type: some BinaryInteger, _ destination: VTEP, _ spi: UInt32) -> NetlinkMessage {
    var id = xfrm_usersa_id()
    id.daddr = XFRMAddress.kernel(destination)
    id.spi = spi.bigEndian
    id.family = XFRMAddress.family(destination.isV6)
    id.proto = UInt8(IPPROTO_ESP)
    return NetlinkMessage(type: Int(type), flags: 0, id)
  }

  private func allStates() throws(KernelError) -> [(state: XFRMState, use: XFRMUse)] {
    defer { socket.wipe() }
    var message = NetlinkMessage(type: Int(XFRM_MSG_GETSA), flags: NLM_F_DUMP)
    message.put(XFRMA_PROTO.rawValue, u8: UInt8(IPPROTO_ESP))
    return try socket.dump(message, "the SAs") { type, payload in
      type == Int(XFRM_MSG_NEWSA) ? XFRMState.read(payload) : nil
    }
  }
}
