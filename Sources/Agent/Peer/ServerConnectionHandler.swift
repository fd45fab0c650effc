import NIOCore
import NIOSSL
import NIOTLS
import Synchronization
import Trust
import Wire

/// A request with the proven name of its sender, and the channel on which the answer is to be written.
struct ServerCall: Sendable {
  let request: [UInt8]
  let principal: PeerPrincipal
  let channel: any Channel
}

/// The server's side of one connection: cuts requests, judges their sender, holds the deadlines, and tells a caller that
/// is turned away why. Callers send one request at a time.
///
/// A caller is judged anew for each request, by the credentials in force then.
final class ServerConnectionHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = Never
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum State {
    case handshaking
    /// Between two requests, or within one.
    case reading(chain: [[UInt8]])
    case answering(chain: [[UInt8]])
    /// The refusal is written; what still comes is thrown away until the caller has closed.
    case farewell
    case closed
  }

  private let address: IPAddress
  private let credentials: PeerCredentials
  private let chain: ReceivedChain
  private let limits: PeerLimits
  private let deliver: @Sendable (ServerCall) -> Void
  private let report: @Sendable (PeerRefusal) -> Void
  private var state = State.handshaking
  private var buffer = ByteBuffer()
  /// The head of a request was judged, and the rest is still to come.
  private var isUnderWay = false
  private var deadline: Scheduled<Void>?

  /// - Parameter chain: where the TLS handler puts the caller's certificates.
  init(
    address: IPAddress, credentials: PeerCredentials, chain: ReceivedChain, limits: PeerLimits,
    deliver: @escaping @Sendable (ServerCall) -> Void, report: @escaping @Sendable (PeerRefusal) -> Void
  ) {
    self.address = address
    self.credentials = credentials
    self.chain = chain
    self.limits = limits
    self.deliver = deliver
    self.report = report
  }

  func handlerAdded(context: ChannelHandlerContext) {
    setDeadline(limits.handshake, "the TLS handshake took too long.", context)
  }

  func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted? = event as? TLSUserEvent, case .handshaking = state {
      handshakeCompleted(context)
    }
    context.fireUserInboundEventTriggered(event)
  }

  private func handshakeCompleted(_ context: ChannelHandlerContext) {
    let chain = chain.certificates
    guard !chain.isEmpty else { return close(context, "it showed no certificate.") }
    state = .reading(chain: chain)
    setDeadline(limits.idle, "its request did not come in time.", context)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    switch state {
    case .reading(let chain):
      buffer.writeBuffer(&bytes)
      readRequest(chain, context)
    case .answering: close(context, "it sent a request before the last one was answered.")
    case .handshaking, .farewell, .closed: break
    }
  }

  private func readRequest(_ chain: [[UInt8]], _ context: ChannelHandlerContext) {
    guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return }
    // A judgement costs signatures: one at the beginning of a request, for its length, and one when it is whole.
    let isBeginning = !isUnderWay
    let end = PeerFrame.lengthSize + Int(length)
    guard isBeginning || buffer.readableBytes >= end else { return }
    let principal: PeerPrincipal
    let limit: Int
    switch credentials.current.identify(chain) {
    case .member(let host): (principal, limit) = (.member(host), PeerLimits.maximumMessage)
    case .stranger(let key): (principal, limit) = (.stranger(key), PeerLimits.maximumStrangerMessage)
    case .refused(let error): return refuse(error.description, context)
    }
    guard length <= limit else {
      return refuse("A request of \(length) bytes is too long here: \(limit) are allowed.", context)
    }
    isUnderWay = true
    guard buffer.readableBytes >= end else { return }
    isUnderWay = false
    guard buffer.readableBytes == end else {
      return close(context, "it sent a request before the last one was answered.")
    }
    let bytes = buffer.getBytes(at: buffer.readerIndex + PeerFrame.lengthSize, length: Int(length)) ?? []
    buffer = ByteBuffer()
    state = .answering(chain: chain)
    deadline?.cancel()
    deliver(ServerCall(request: bytes, principal: principal, channel: context.channel))
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    if case .answering(let chain) = state {
      state = .reading(chain: chain)
      setDeadline(limits.idle, "it neither read its answer nor sent another request.", context)
    }
    context.write(data, promise: promise)
  }

  func channelInactive(context: ChannelHandlerContext) {
    if case .handshaking = state { tell("it closed the connection during the TLS handshake.") }
    state = .closed
    deadline?.cancel()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch state {
    case .handshaking where PeerTLSFailure.isEnd(error):
      close(context, "it closed the connection during the TLS handshake.")
    case .reading where PeerTLSFailure.isEnd(error), .answering where PeerTLSFailure.isEnd(error), .farewell, .closed:
      context.close(promise: nil)
    case .handshaking, .reading, .answering: close(context, PeerTLSFailure.sentence(error))
    }
  }

  /// Tells the caller why it is turned away and gives it a moment to read it: closing at once, with bytes of it still
  /// unread, would reset the connection and take the sentence with it.
  private func refuse(_ sentence: String, _ context: ChannelHandlerContext) {
    state = .farewell
    buffer = ByteBuffer()
    tell(sentence)
    context.writeAndFlush(wrapOutboundOut(PeerFrame.refusal(sentence)), promise: nil)
    setDeadline(limits.farewell, nil, context)
  }

  private func close(_ context: ChannelHandlerContext, _ reason: String?) {
    if case .closed = state { return }
    state = .closed
    buffer = ByteBuffer()
    deadline?.cancel()
    if let reason { tell(reason) }
    context.close(promise: nil)
  }

  private func setDeadline(_ delay: Duration, _ reason: String?, _ context: ChannelHandlerContext) {
    deadline?.cancel()
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(clamping: delay)) {
      self.close(context, reason)
    }
  }

  private func tell(_ reason: String) { report(PeerRefusal(address: address, reason: reason)) }
}

/// The caller's certificates, on their way from the TLS handler to the handler behind it. A resumed session shows none,
/// and so is turned away: Weft resumes none, and each connection proves its certificates anew.
final class ReceivedChain: Sendable {
  private let value = Mutex<[[UInt8]]>([])

  var certificates: [[UInt8]] { value.withLock { $0 } }

  func set(_ certificates: [[UInt8]]) { value.withLock { $0 = certificates } }
}
