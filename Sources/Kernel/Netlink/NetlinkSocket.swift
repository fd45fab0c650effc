import CNetlink
import Glibc
import Wire

/// A netlink socket for commands: requests go out, each answer is read before the call returns.
///
/// rtnetlink, XFRM and nfnetlink work inside `sendmsg`: when it returns, all is done and the acknowledgements wait in
/// the socket, so reading them at once costs a few microseconds and never blocks.
final class NetlinkSocket {
  /// Requests in one `sendmsg`. 128 errors that quote their requests fit the receive buffer many times.
  static let batchLimit = 128
  private static let receiveBuffer: Int32 = 4 << 20

  private let raw: OpaquePointer
  let descriptor: Int32
  private let part: KernelPart
  private var sequence: UInt32 = 0
  private var buffer: UnsafeMutableRawBufferPointer
  private var outgoing: [UInt8] = []

  /// - Parameter family: `NETLINK_ROUTE`, `NETLINK_XFRM`, `NETLINK_NETFILTER`.
  init(_ family: Int32 = NETLINK_ROUTE) throws(KernelError) {
    guard let raw = nl_socket_alloc() else { fatalError("out of memory") }
    let result = nl_connect(raw, family)
    guard result == 0 else {
      let code = errno
      nl_socket_free(raw)
      throw .refused(operation: "open", object: "a netlink socket", code: code, message: nil)
    }
    self.raw = raw
    descriptor = nl_socket_get_fd(raw)
    port = nl_socket_get_local_port(raw)
    part = Self.part(family)
    buffer = .allocate(byteCount: 1 << 18, alignment: 16)
    outgoing.reserveCapacity(1 << 15)
    Self.prepare(descriptor)
  }

  deinit {
    buffer.deallocate()
    nl_socket_free(raw)
  }

  private static func part(_ family: Int32) -> KernelPart {
    switch family {
    case NETLINK_XFRM: .ipsec
    case NETLINK_NETFILTER: .packetFilter
    default: .interfaces
    }
  }

  /// Stands in every request of this socket, and in the notices that follow from it.
  let port: UInt32

  private static func prepare(_ descriptor: Int32) {
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    // Without these an error is a bare number; each is missing on some kernel, none is needed.
    setsockopt(descriptor, SOL_NETLINK, NETLINK_EXT_ACK, &on, size)
    setsockopt(descriptor, SOL_NETLINK, NETLINK_CAP_ACK, &on, size)
    var room = receiveBuffer
    // A transaction is one datagram, so the room for sending bounds how much it may hold.
    for (force, plain) in [(SO_RCVBUFFORCE, SO_RCVBUF), (SO_SNDBUFFORCE, SO_SNDBUF)]
    where setsockopt(descriptor, SOL_SOCKET, force, &room, size) != 0 {
      setsockopt(descriptor, SOL_SOCKET, plain, &room, size)
    }
    var limit = timeval(tv_sec: 5, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  /// Sends one request and waits for its acknowledgement.
  func perform(
    _ message: consuming NetlinkMessage, _ operation: String, _ object: @autoclosure () -> String
  ) throws(KernelError) {
    beginBatch()
    append(message)
    if let failure = finishBatch().first {
      throw .refused(
        operation: operation, object: object(), code: failure.code, message: failure.message, part: part)
    }
  }

  // MARK: Batches

  struct Failure {
    /// The place of the request in its batch.
    let index: Int
    let code: Int32
    let message: String?
  }

  private var batchStart: UInt32 = 0
  private var batchCount = 0
  private var incomplete: [Int] = []

  func beginBatch() {
    outgoing.removeAll(keepingCapacity: true)
    batchStart = sequence &+ 1
    batchCount = 0
    incomplete.removeAll(keepingCapacity: true)
  }

  /// Adds a request; the acknowledgement is asked for here.
  func append(_ message: borrowing NetlinkMessage, isAcknowledged: Bool = true) {
    if !message.isComplete { incomplete.append(batchCount) }
    message.withBytes { append($0, isAcknowledged: isAcknowledged) }
  }

  /// Adds a request in its bytes, header included.
  func append(_ bytes: UnsafeRawBufferPointer, isAcknowledged: Bool = true) {
    sequence &+= 1
    batchCount += 1
    let start = outgoing.count
    outgoing.append(contentsOf: bytes)
    while outgoing.count & 3 != 0 { outgoing.append(0) }
    outgoing.withUnsafeMutableBytes { out in
      let flags = out.loadUnaligned(fromByteOffset: start + 6, as: UInt16.self)
      out.storeBytes(
        of: isAcknowledged ? flags | UInt16(NLM_F_ACK) : flags, toByteOffset: start + 6, as: UInt16.self)
      out.storeBytes(of: sequence, toByteOffset: start + 8, as: UInt32.self)
      out.storeBytes(of: port, toByteOffset: start + 12, as: UInt32.self)
    }
  }

  /// Sends what was added as one datagram and reads every acknowledgement; returns the requests that failed.
  func finishBatch() -> [Failure] {
    guard batchCount > 0 else { return [] }
    guard incomplete.isEmpty else {
      return incomplete.map { Failure(index: $0, code: EMSGSIZE, message: "the request does not fit its buffer") }
    }
    let sent = outgoing.withUnsafeMutableBytes { nl_sendto(raw, $0.baseAddress, $0.count) }
    guard sent >= 0 else {
      let code = errno
      return (0..<batchCount).map { Failure(index: $0, code: code, message: nil) }
    }
    return readAcknowledgements()
  }

  private func readAcknowledgements() -> [Failure] {
    var failures: [Failure] = []
    var left = batchCount
    while left > 0 {
      let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
      if count < 0 {
        if errno == EINTR { continue }
        // The answers are lost; what was done is unknown, so every request counts as failed and is checked anew.
        let code = errno
        return (0..<batchCount).map { Failure(index: $0, code: code, message: "no acknowledgement came") }
      }
      Self.forEachMessage(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { header, payload in
        let index = header.nlmsg_seq &- batchStart
        guard header.nlmsg_type == UInt16(NLMSG_ERROR), index < UInt32(batchCount) else { return }
        left -= 1
        if let failure = Self.failure(header, payload, index: Int(index)) { failures.append(failure) }
      }
    }
    return failures
  }

  /// nil for an acknowledgement without error.
  private static func failure(_ header: nlmsghdr, _ payload: UnsafeRawBufferPointer, index: Int) -> Failure? {
    guard payload.count >= MemoryLayout<nlmsgerr>.size else {
      return Failure(index: index, code: EBADMSG, message: nil)
    }
    let error = payload.loadUnaligned(as: nlmsgerr.self)
    guard error.error != 0 else { return nil }
    var message: String?
    if header.nlmsg_flags & UInt16(NLM_F_ACK_TLVS) != 0 {
      let quoted = header.nlmsg_flags & UInt16(NLM_F_CAPPED) != 0 ? 16 : Int(error.msg.nlmsg_len)
      for attribute in Attributes(payload, after: 4 + quoted) where attribute.type == Int(NLMSGERR_ATTR_MSG.rawValue) {
        message = attribute.text
      }
    }
    return Failure(index: index, code: -error.error, message: message)
  }

  /// Sends what was added as one transaction of nfnetlink, of which all is done or nothing. The acknowledgement of one
  /// request in it must have been asked for; a refused request is reported in any case, and a refusal of the whole
  /// under the number of the first message.
  func finishTransaction() -> [Failure] {
    guard incomplete.isEmpty else { return finishBatch() }
    let sent = outgoing.withUnsafeMutableBytes { nl_sendto(raw, $0.baseAddress, $0.count) }
    guard sent >= 0 else { return [Failure(index: 0, code: errno, message: nil)] }
    var failures: [Failure] = []
    var acknowledged = 0
    while true {
      let count = recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
      if count < 0 {
        if errno == EINTR { continue }
        if errno != EAGAIN { failures.append(Failure(index: 0, code: errno, message: "no acknowledgement came")) }
        break
      }
      Self.forEachMessage(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { header, payload in
        let index = header.nlmsg_seq &- batchStart
        guard header.nlmsg_type == UInt16(NLMSG_ERROR), index < UInt32(batchCount) else { return }
        acknowledged += 1
        if let failure = Self.failure(header, payload, index: Int(index)) { failures.append(failure) }
      }
    }
    if acknowledged == 0, failures.isEmpty {
      failures.append(Failure(index: 0, code: EBADMSG, message: "no acknowledgement came"))
    }
    return failures
  }

  /// Overwrites what was sent and read last: it held a key.
  func wipe() {
    outgoing.withUnsafeMutableBytes { bytes in
      if let start = bytes.baseAddress { explicit_bzero(start, bytes.count) }
    }
    if let start = buffer.baseAddress { explicit_bzero(start, buffer.count) }
  }

  // MARK: Dumps

  /// Asks for a list, or for one thing, and collects what `read` makes of each message of the answer, given its type and
  /// its payload. A list that changed while it was read is asked for again; the fourth is taken as it is, since what it
  /// lacks is seen at the next look.
  func dump<Element>(
    _ message: consuming NetlinkMessage, _ what: String, _ read: (Int, UnsafeRawBufferPointer) -> Element?
  ) throws(KernelError) -> [Element] {
    var found: [Element] = []
    for _ in 0..<4 {
      found.removeAll(keepingCapacity: true)
      let isWhole = try dumpOnce(message, what) { type, payload in
        if let element = read(Int(type), payload) { found.append(element) }
      }
      if isWhole { break }
    }
    return found
  }

  /// Returns false if the list was interrupted by a change.
  private func dumpOnce(
    _ message: borrowing NetlinkMessage, _ what: String, _ each: (UInt16, UnsafeRawBufferPointer) -> Void
  ) throws(KernelError) -> Bool {
    sequence &+= 1
    let own = sequence
    outgoing.removeAll(keepingCapacity: true)
    message.withBytes { outgoing.append(contentsOf: $0) }
    let sent = outgoing.withUnsafeMutableBytes { out in
      out.storeBytes(of: own, toByteOffset: 8, as: UInt32.self)
      return nl_sendto(raw, out.baseAddress, out.count)
    }
    guard sent >= 0 else { throw .refused(operation: "list", object: what, code: errno, message: nil, part: part) }
    var isWhole = true
    var isDone = false
    var failure: Failure?
    while !isDone {
      let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
      if count < 0 {
        if errno == EINTR { continue }
        throw .refused(operation: "list", object: what, code: errno, message: nil, part: part)
      }
      Self.forEachMessage(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { header, payload in
        guard header.nlmsg_seq == own else { return }
        if header.nlmsg_flags & UInt16(NLM_F_DUMP_INTR) != 0 { isWhole = false }
        switch Int32(header.nlmsg_type) {
        case NLMSG_DONE:
          isDone = true
          failure = Self.endOfList(payload)
        case NLMSG_ERROR:
          failure = Self.failure(header, payload, index: 0)
          isDone = true
        default:
          each(header.nlmsg_type, payload)
          if header.nlmsg_flags & UInt16(NLM_F_MULTI) == 0 { isDone = true }
        }
      }
    }
    if let failure {
      throw .refused(operation: "list", object: what, code: failure.code, message: failure.message, part: part)
    }
    return isWhole
  }

  /// Why a list broke off in the middle, from the payload of its `NLMSG_DONE`, which is a negated errno then; nil if it
  /// did not.
  static func endOfList(_ payload: UnsafeRawBufferPointer) -> Failure? {
    guard payload.count >= 4, case let code = payload.loadUnaligned(as: Int32.self), code < 0 else { return nil }
    return Failure(index: 0, code: 0 &- code, message: nil)
  }

  /// Walks the messages of one datagram; stops at the first that does not fit.
  static func forEachMessage(
    _ datagram: UnsafeRawBufferPointer, _ body: (nlmsghdr, UnsafeRawBufferPointer) -> Void
  ) {
    var rest = datagram
    let size = MemoryLayout<nlmsghdr>.size
    while rest.count >= size {
      let header = rest.loadUnaligned(as: nlmsghdr.self)
      let length = Int(header.nlmsg_len)
      guard length >= size, length <= rest.count else { return }
      body(header, UnsafeRawBufferPointer(rebasing: rest[size..<length]))
      rest = UnsafeRawBufferPointer(rebasing: rest[min(Attributes.aligned(length), rest.count)...])
    }
  }
}
