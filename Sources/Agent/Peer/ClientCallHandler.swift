import NIOCore
import NIOSSL
import NIOTLS
import Synchronization
import Trust
import Wire

/// The client's side of one call: waits for the handshake, sends the request, reads the answer; whatever happens first
/// decides the call.
final class ClientCallHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let endpoint: Endpoint
  /// nil: the handshake is all that is wanted, and the answer is empty.
  private let request: [UInt8]?
  private let refusal: RefusalBox
  private let deadline: NIODeadline
  private let result: EventLoopPromise<[UInt8]>
  private var stage = PeerClientError.Stage.connecting
  private var isDecided = false
  private var buffer = ByteBuffer()
  private var timeout: Scheduled<Void>?

  init(
    endpoint: Endpoint, request: [UInt8]?, refusal: RefusalBox, deadline: NIODeadline,
    result: EventLoopPromise<[UInt8]>
  ) {
    self.endpoint = endpoint
    self.request = request
    self.refusal = refusal
    self.deadline = deadline
    self.result = result
  }

  func handlerAdded(context: ChannelHandlerContext) {
    timeout = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
      self.decide(.failure(.timedOut(self.endpoint, self.stage)), context)
    }
  }

  func handlerRemoved(context: ChannelHandlerContext) { end(context) }

  func channelActive(context: ChannelHandlerContext) {
    stage = .handshake
    context.fireChannelActive()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted? = event as? TLSUserEvent {
      stage = .answer
      if let request {
        context.writeAndFlush(wrapOutboundOut(PeerFrame.request(request)), promise: nil)
      } else {
        decide(.success([]), context)
      }
    }
    context.fireUserInboundEventTriggered(event)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isDecided else { return }
    var bytes = unwrapInboundIn(data)
    buffer.writeBuffer(&bytes)
    guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return }
    guard length >= 1, length <= PeerLimits.maximumMessage else {
      return decide(.failure(.notWeft(endpoint, reason: "an answer of \(length) bytes is announced.")), context)
    }
    guard buffer.readableBytes >= PeerFrame.lengthSize + Int(length) else { return }
    buffer.moveReaderIndex(forwardBy: PeerFrame.lengthSize)
    let status = buffer.readInteger(as: UInt8.self)
    let answer = buffer.readBytes(length: Int(length) - 1) ?? []
    switch status {
    case PeerFrame.answered?: decide(.success(answer), context)
    case PeerFrame.refused?:
      decide(.failure(.refused(endpoint, sentence: PeerFrame.sentence(answer))), context)
    default: decide(.failure(.notWeft(endpoint, reason: "its answer is of an unknown kind.")), context)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    end(context)
    context.fireChannelInactive()
  }

  // While it connects, the connection itself knows best why it failed, and decides.
  private func end(_ context: ChannelHandlerContext) {
    if stage != .connecting { decide(.failure(.closed(endpoint, stage)), context) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if let reason = refusal.reason {
      decide(.failure(.untrusted(endpoint, reason)), context)
      return
    }
    guard stage != .connecting else { return }
    if PeerTLSFailure.isEnd(error) {
      end(context)
    } else if error is NIOSSLError || error is BoringSSLError {
      decide(.failure(.notWeft(endpoint, reason: PeerTLSFailure.sentence(error))), context)
    } else {
      decide(.failure(.other(endpoint, PeerTLSFailure.sentence(error))), context)
    }
  }

  private func decide(_ outcome: Result<[UInt8], PeerClientError>, _ context: ChannelHandlerContext) {
    guard !isDecided else { return }
    isDecided = true
    timeout?.cancel()
    buffer = ByteBuffer()
    switch outcome {
    case .success(let answer): result.succeed(answer)
    case .failure(let error): result.fail(error)
    }
    context.close(promise: nil)
  }
}

/// Carries the reason for which the server's certificate was refused from the handshake to the call.
final class RefusalBox: Sendable {
  private let value = Mutex<PeerVerificationError?>(nil)

  var reason: PeerVerificationError? { value.withLock { $0 } }

  func set(_ reason: PeerVerificationError) { value.withLock { $0 = reason } }
}
