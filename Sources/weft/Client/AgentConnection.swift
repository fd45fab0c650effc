import Control
import NIOCore
import NIOHTTP1
import NIOPosix

/// One connection to the socket of an agent, for one request.
struct AgentConnection: Sendable {
  let socket: String

  /// The bytes of an answer as they come.
  struct Parts {
    fileprivate var iterator: NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator

    /// nil at the end of the answer.
    ///
    /// - Throws: `ConnectionLost` if the answer is cut off.
    mutating func next() async throws -> [UInt8]? {
      do {
        while let part = try await iterator.next() {
          switch part {
          case .head: continue
          case .body(let buffer): return Array(buffer.readableBytesView)
          case .end: return nil
          }
        }
      } catch HTTPParserError.invalidEOFState {
        throw ConnectionLost()
      } catch is IOError {
        throw ConnectionLost()
      }
      throw ConnectionLost()
    }
  }

  /// Sends the request and gives the head and the bytes of the answer to `read`.
  func exchange<Value: Sendable>(
    _ method: HTTPMethod, _ path: String, body: [UInt8],
    read: (HTTPResponseHead, inout Parts) async throws -> Value
  ) async throws -> Value {
    let channel = try await connect()
    do {
      return try await channel.executeThenClose { inbound, outbound in
        // At once: an agent that has the whole request with the head answers and closes, and what would be written then
        // fails although the answer is there.
        var request: [HTTPClientRequestPart] = [.head(head(method, path, body))]
        if !body.isEmpty { request.append(.body(.byteBuffer(ByteBuffer(bytes: body)))) }
        request.append(.end(nil))
        try await outbound.write(contentsOf: request)
        var parts = Parts(iterator: inbound.makeAsyncIterator())
        guard case .head(let head)? = try await parts.iterator.next() else { throw ConnectionLost() }
        return try await read(head, &parts)
      }
    } catch let failure as Failure {
      throw failure
    } catch let error as CancellationError {
      throw error
    } catch is ConnectionLost {
      throw lost
    } catch is IOError {
      throw lost
    } catch is ChannelError {
      throw lost
    } catch {
      throw Failure("What answers at \(socket) does not speak HTTP: check --socket.")
    }
  }

  private var lost: Failure {
    Failure("weftd closed the connection at \(socket) before it had answered: look at its log, then try again.")
  }

  private func head(_ method: HTTPMethod, _ path: String, _ body: [UInt8]) -> HTTPRequestHead {
    var headers = HTTPHeaders([("host", "weft"), ("connection", "close"), (API.versionHeader, String(API.version))])
    if method != .GET {
      headers.add(name: "content-type", value: "application/json")
      headers.add(name: "content-length", value: String(body.count))
    }
    return HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
  }

  private func connect() async throws -> NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart> {
    do {
      return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(unixDomainSocketPath: socket) { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
          }
        }
    } catch let error as IOError {
      throw Failure(sentence(for: error))
    } catch is SocketAddressError {
      throw Failure("'\(socket.prefix(120))' is too long for a socket: pass the agent's path with --socket.")
    }
  }

  private func sentence(for error: IOError) -> String {
    switch error.errnoCode {
    case ENOENT, ENOTDIR:
      "weftd is not running (no socket at \(socket)): start it with 'systemctl start weftd', or pass its --socket."
    case ECONNREFUSED:
      "weftd is not running (nobody listens at \(socket)): start it with 'systemctl start weftd', or pass its --socket."
    case EACCES, EPERM: "You may not talk to weftd at \(socket): run weft as root."
    default: "weftd cannot be reached at \(socket) (\(error)): check --socket and that weftd runs."
    }
  }
}

/// The agent closed before the answer was complete.
struct ConnectionLost: Error {}
