import NIOCore
import Trust

/// How messages lie on a TLS connection: the length in 32 bits, then so many bytes. The first byte of an answer says
/// whether the rest is the service's answer or, in UTF-8, why the caller is turned away.
enum PeerFrame {
  static let lengthSize = 4
  static let answered: UInt8 = 0
  static let refused: UInt8 = 1
  private static let maximumSentence = 512

  static func request(_ bytes: [UInt8]) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.reserveCapacity(lengthSize + bytes.count)
    buffer.writeInteger(UInt32(clamping: bytes.count))
    buffer.writeBytes(bytes)
    return buffer
  }

  static func answer(_ bytes: [UInt8]) -> ByteBuffer { response(answered, bytes) }

  static func refusal(_ sentence: String) -> ByteBuffer { response(refused, Array(sentence.utf8)) }

  private static func response(_ status: UInt8, _ bytes: [UInt8]) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.reserveCapacity(lengthSize + 1 + bytes.count)
    buffer.writeInteger(UInt32(clamping: bytes.count + 1))
    buffer.writeInteger(status)
    buffer.writeBytes(bytes)
    return buffer
  }

  /// A sentence of the other side, fit to be shown: bounded, one line, nothing that moves a terminal's cursor.
  static func sentence(_ bytes: [UInt8]) -> String { ShownText.line(bytes, limit: maximumSentence) }
}
