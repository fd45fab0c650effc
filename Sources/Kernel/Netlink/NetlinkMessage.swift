import CNetlink
import Wire

/// One request to the kernel, built by libnl: header, the fixed part of its family, attributes.
struct NetlinkMessage: ~Copyable {
  /// More than any request of ours; libnl refuses an attribute that does not fit, which `isComplete` tells.
  private static let capacity = 2048

  private let raw: OpaquePointer
  private(set) var isComplete = true

  /// Without a fixed part: what dumps of XFRM take, which read attributes right behind the header.
  ///
  /// - Parameters:
  ///   - type: `RTM_…`, `XFRM_MSG_…`, or a subsystem of nfnetlink with its message.
  ///   - flags: `NLM_F_…` beside `NLM_F_REQUEST`.
  init(type: Int, flags: Int32) {
    guard let raw = nlmsg_alloc_size(Self.capacity) else { fatalError("out of memory") }
    self.raw = raw
    let header = nlmsg_put(raw, 0, 0, Int32(type), 0, flags | NLM_F_REQUEST)
    isComplete = header != nil
  }

  /// With the fixed part of its family, a C structure. (The compiler takes one that holds a union for no plain bytes, so
  /// the type says nothing.)
  init<Family>(type: Int, flags: Int32, _ family: Family) {
    self.init(type: type, flags: flags)
    withUnsafeBytes(of: family) { bytes in
      if nlmsg_append(raw, UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count, Int32(NLMSG_ALIGNTO)) != 0
      {
        isComplete = false
      }
    }
  }

  deinit { nlmsg_free(raw) }

  /// The whole message, for as long as `body` runs.
  borrowing func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    guard let header = nlmsg_hdr(raw) else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
    return body(UnsafeRawBufferPointer(start: header, count: Int(header.pointee.nlmsg_len)))
  }

  mutating func put(_ attribute: some BinaryInteger, u8 value: UInt8) {
    check(nla_put_u8(raw, Int32(attribute), value))
  }

  mutating func put(_ attribute: some BinaryInteger, u16 value: UInt16) {
    check(nla_put_u16(raw, Int32(attribute), value))
  }

  mutating func put(_ attribute: some BinaryInteger, u32 value: UInt32) {
    check(nla_put_u32(raw, Int32(attribute), value))
  }

  mutating func put(_ attribute: some BinaryInteger, text: String) {
    check(text.withCString { nla_put_string(raw, Int32(attribute), $0) })
  }

  mutating func put(_ attribute: some BinaryInteger, bytes: [UInt8]) {
    check(bytes.withUnsafeBytes { nla_put(raw, Int32(attribute), Int32($0.count), $0.baseAddress) })
  }

  mutating func put(_ attribute: some BinaryInteger, mac: MACAddress) { put(attribute, bytes: mac.octets) }

  /// A C structure.
  mutating func put<Value>(_ attribute: some BinaryInteger, structure: Value) {
    check(withUnsafeBytes(of: structure) { nla_put(raw, Int32(attribute), Int32($0.count), $0.baseAddress) })
  }

  mutating func nest(_ attribute: some BinaryInteger, _ body: (inout NetlinkMessage) -> Void) {
    guard let start = nla_nest_start(raw, Int32(attribute)) else {
      isComplete = false
      return
    }
    body(&self)
    check(nla_nest_end(raw, start))
  }

  private mutating func check(_ result: Int32) { if result < 0 { isComplete = false } }
}
