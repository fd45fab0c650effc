import Glibc
import NIOCore
import NIOPosix
import Synchronization
import Trust
import Wire

/// Calls another host's `PeerServer`: one connection for one request.
package enum PeerClient {
  /// Sends `request` and gives the answer.
  ///
  /// - Parameters:
  ///   - localAddress: the address to call from; nil leaves it to the routes.
  ///   - expectation: whom to talk to; the request is not sent to anyone else.
  ///   - timeout: for all of it, the connection included.
  package static func call(
    _ endpoint: Endpoint, from localAddress: IPAddress? = nil, credentials: TLSCredentials,
    expecting expectation: PeerExpectation, request: [UInt8], timeout: Duration
  ) async throws(PeerClientError) -> [UInt8] {
    guard request.count <= PeerLimits.maximumMessage else { throw .requestTooLong(request.count) }
    return try await exchange(
      endpoint, from: localAddress, credentials: credentials, expecting: expectation, request: request,
      timeout: timeout)
  }

  /// As `call`; without a request it ends when the handshake does.
  static func exchange(
    _ endpoint: Endpoint, from localAddress: IPAddress?, credentials: TLSCredentials,
    expecting expectation: PeerExpectation, request: [UInt8]?, timeout: Duration
  ) async throws(PeerClientError) -> [UInt8] {
    let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let deadline = NIODeadline.now() + TimeAmount(clamping: timeout)
    let result = eventLoop.makePromise(of: [UInt8].self)
    let refusal = RefusalBox()
    let channel = ChannelBox()
    let connected: EventLoopFuture<any Channel>
    do {
      var bootstrap = ClientBootstrap(group: eventLoop)
        .connectTimeout(TimeAmount(clamping: timeout))
        .channelOption(.tcpOption(.tcp_nodelay), value: 1)
        .channelInitializer { new in
          channel.set(new)
          return new.eventLoop.makeCompletedFuture {
            let tls = try credentials.makeClientHandler(expecting: expectation) { refusal.set($0) }
            let call = ClientCallHandler(
              endpoint: endpoint, request: request, refusal: refusal, deadline: deadline, result: result)
            try new.pipeline.syncOperations.addHandlers(tls, call)
          }
        }
      if let localAddress {
        bootstrap = bootstrap.bind(to: try SocketAddress(Endpoint(address: localAddress, port: 0)))
      }
      connected = bootstrap.connect(to: try SocketAddress(endpoint))
    } catch {
      result.fail(PeerClientError.other(endpoint, "\(error)"))
      throw .other(endpoint, "\(error)")
    }
    connected.whenFailure { error in
      result.fail(
        channel.isClosed
          ? .cancelled : connectionError(error, endpoint: endpoint, localAddress: localAddress))
    }
    do {
      return try await withTaskCancellationHandler {
        try await result.futureResult.get()
      } onCancel: {
        result.fail(PeerClientError.cancelled)
        channel.close()
      }
    } catch let error as PeerClientError {
      throw error
    } catch {
      throw .other(endpoint, "\(error)")
    }
  }

  private static func connectionError(
    _ error: any Error, endpoint: Endpoint, localAddress: IPAddress?
  ) -> PeerClientError {
    switch error {
    case ChannelError.connectTimeout: return .timedOut(endpoint, .connecting)
    case let error as IOError:
      switch error.errnoCode {
      case ECONNREFUSED, ECONNRESET: return .refusedConnection(endpoint)
      // EAFNOSUPPORT: an address of the one family and a port of the other.
      case EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN, EACCES, EPERM, EAFNOSUPPORT: return .noRoute(endpoint)
      case ETIMEDOUT: return .timedOut(endpoint, .connecting)
      case EADDRNOTAVAIL: return localAddress.map { .localAddress($0) } ?? .noRoute(endpoint)
      default: return .other(endpoint, "\(error)")
      }
    default: return .other(endpoint, "\(error)")
    }
  }
}

/// The channel of a call, for whoever gives the call up.
private final class ChannelBox: Sendable {
  private let value = Mutex<(channel: (any Channel)?, isClosed: Bool)>((nil, false))

  /// Whether the call was given up.
  var isClosed: Bool { value.withLock { $0.isClosed } }

  func set(_ channel: any Channel) {
    let isClosed = value.withLock { state in
      state.channel = channel
      return state.isClosed
    }
    if isClosed { channel.close(promise: nil) }
  }

  func close() {
    let channel = value.withLock { state in
      state.isClosed = true
      return state.channel
    }
    channel?.close(promise: nil)
  }
}
