import Glibc
import NIOCore
import NIOSSL

/// What a failure of TLS or of its TCP connection means, in words.
enum PeerTLSFailure {
  /// Whether the other side closed or reset the connection, rather than say something wrong.
  static func isEnd(_ error: any Error) -> Bool {
    switch error {
    case NIOSSLError.uncleanShutdown: true
    case NIOSSLError.handshakeFailed(.sslError(let stack)): stack.contains(.eofDuringHandshake)
    case let error as IOError: error.errnoCode == ECONNRESET || error.errnoCode == EPIPE
    case ChannelError.inputClosed, ChannelError.eof, ChannelError.ioOnClosedChannel: true
    default: false
    }
  }

  static func sentence(_ error: any Error) -> String {
    if isEnd(error) { return "it closed the connection." }
    switch error {
    case NIOSSLError.handshakeFailed(let reason): return sentence(ofHandshake: "\(reason)")
    case BoringSSLError.sslError(let stack): return sentence(ofHandshake: "\(stack)")
    default: return "TLS failed (\(error))."
    }
  }

  // BoringSSL names its reasons in capitals; they are the only thing by which they can be told apart here.
  private static func sentence(ofHandshake reason: String) -> String {
    if reason.contains("PEER_DID_NOT_RETURN_A_CERTIFICATE") { return "it showed no certificate." }
    if reason.contains("ALERT_CERTIFICATE") || reason.contains("ALERT_UNKNOWN_CA")
      || reason.contains("ALERT_BAD_CERTIFICATE")
    {
      return "it does not accept this host's certificate; it may belong to another pool, or expect another host here."
    }
    if reason.contains("UNSUPPORTED_PROTOCOL") || reason.contains("PROTOCOL_VERSION") {
      return "it does not speak TLS 1.3."
    }
    if ["WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "UNEXPECTED_RECORD"].contains(
      where: reason.contains)
    {
      return "it does not speak TLS."
    }
    return "the TLS handshake failed (\(reason))."
  }
}
