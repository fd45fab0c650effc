import Wire

/// One message of the xenstore protocol (Xen's `docs/misc/xenstore.txt` and `xen/include/public/io/xs_wire.h`): a header
/// of four 32-bit numbers in the byte order of the machine (kind, request, transaction, length), then the payload.
struct XenstoreMessage: Equatable {
  /// The kinds that an agent asks for or gets.
  enum Kind: UInt32 {
    case directory = 1
    case read = 2
    case watch = 4
    case unwatch = 5
    case watchEvent = 15
    case error = 16
  }

  /// Raw, as a daemon may send kinds that nobody here asks for.
  var kind: UInt32
  var request: UInt32
  var payload: [UInt8]

  static let headerSize = 16
  /// XENSTORE_PAYLOAD_MAX.
  static let maximumPayload = 4096

  init(_ kind: Kind, request: UInt32, payload: [UInt8]) {
    self.init(kind: kind.rawValue, request: request, payload: payload)
  }

  init(kind: UInt32, request: UInt32, payload: [UInt8]) {
    self.kind = kind
    self.request = request
    self.payload = payload
  }

  /// A payload of strings that each end with a zero.
  init(_ kind: Kind, request: UInt32, strings: [String]) {
    self.init(kind, request: request, payload: strings.flatMap { Array($0.utf8) + [0] })
  }

  /// - Precondition: the payload has at most `maximumPayload` bytes; `XenstoreClient` bounds it.
  var encoded: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.headerSize + payload.count)
    for word in [kind, request, 0, UInt32(payload.count)] { withUnsafeBytes(of: word) { bytes += $0 } }
    return bytes + payload
  }

  /// The strings of a payload; the zero behind the last one may be left out.
  var strings: [String] {
    payload.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }
}

/// Cuts a stream of bytes into messages.
struct XenstoreDecoder {
  private var buffer: [UInt8] = []

  mutating func append(_ bytes: some Sequence<UInt8>) { buffer += bytes }

  /// The next whole message; nil if it is not there yet. A length beyond the protocol's bound throws: the stream has
  /// lost its meaning then.
  mutating func next() throws(WireError) -> XenstoreMessage? {
    guard buffer.count >= XenstoreMessage.headerSize else { return nil }
    let words = stride(from: 0, to: 16, by: 4).map { offset in
      buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
    }
    guard words[3] <= XenstoreMessage.maximumPayload else { throw .invalid("length of a xenstore message") }
    let end = XenstoreMessage.headerSize + Int(words[3])
    guard buffer.count >= end else { return nil }
    defer { buffer.removeFirst(end) }
    return XenstoreMessage(
      kind: words[0], request: words[1], payload: Array(buffer[XenstoreMessage.headerSize..<end]))
  }
}
