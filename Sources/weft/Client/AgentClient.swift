import Control
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// One request to an agent over its socket; every fault is a `Failure` with a sentence.
struct AgentClient: Sendable {
  let socket: String
  /// In place of the time that each command gives the agent; nil: that time.
  let timeout: Duration?

  /// The body of an answer, and the same as a value.
  struct Answer<Value: Decodable & Sendable>: Sendable {
    let bytes: [UInt8]
    let value: Value
  }

  func get<Value: Decodable & Sendable>(
    _ type: Value.Type, _ path: String, timeout: Duration = .seconds(10)
  ) async throws -> Answer<Value> {
    try await ask(.GET, path, body: [], timeout: self.timeout ?? timeout)
  }

  func send<Value: Decodable & Sendable>(
    _ type: Value.Type, _ method: HTTPMethod, _ path: String, _ body: some Encodable = API.Nothing(),
    timeout: Duration = .seconds(10)
  ) async throws -> Value {
    try await order(type, method, path, body, timeout: timeout).value
  }

  /// Like `send`, with the bytes of the answer.
  func order<Value: Decodable & Sendable>(
    _ type: Value.Type, _ method: HTTPMethod, _ path: String, _ body: some Encodable, timeout: Duration
  ) async throws -> Answer<Value> {
    try await ask(method, path, body: Array(JSONEncoder().encode(body)), timeout: self.timeout ?? timeout)
  }

  /// Gives each line of an endless answer to `take`; returns when the agent ends it, or is ended in the middle of it.
  func follow(_ path: String, take: @Sendable ([UInt8]) throws -> Void) async throws {
    try await AgentConnection(socket: socket).exchange(.GET, path, body: []) { head, parts in
      guard head.status == .ok else {
        var bytes: [UInt8] = []
        while let part = try await parts.next(), bytes.count < Self.maximumAnswer { bytes += part }
        throw failure(head, bytes)
      }
      try checkVersion(head)
      var line: [UInt8] = []
      do {
        while let part = try await parts.next() {
          for byte in part {
            line.append(byte)
            guard byte == UInt8(ascii: "\n") else { continue }
            try take(line)
            line.removeAll(keepingCapacity: true)
          }
          guard line.count < Self.maximumAnswer else { throw notAnAgent }
        }
      } catch is ConnectionLost {}
    }
  }

  /// One line, or one whole answer, of an agent as a value.
  func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Value {
    do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch { throw notAnAgent }
  }

  private func ask<Value: Decodable & Sendable>(
    _ method: HTTPMethod, _ path: String, body: [UInt8], timeout: Duration
  ) async throws -> Answer<Value> {
    try await within(timeout) {
      try await AgentConnection(socket: socket).exchange(method, path, body: body) { head, parts in
        var bytes: [UInt8] = []
        while let part = try await parts.next() {
          guard bytes.count + part.count <= Self.maximumAnswer else { throw notAnAgent }
          bytes += part
        }
        guard (200..<300).contains(head.status.code) else { throw failure(head, bytes) }
        try checkVersion(head)
        return Answer(bytes: bytes, value: try decode(Value.self, bytes))
      }
    }
  }

  private func within<Value: Sendable>(
    _ timeout: Duration, _ operation: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
      group.addTask { try await operation() }
      group.addTask {
        try await Task.sleep(for: timeout)
        return nil
      }
      defer { group.cancelAll() }
      guard let first = try await group.next(), let value = first else {
        throw Failure(
          "weftd did not answer within \(timeout.components.seconds) s at \(socket): "
            + "look at its log, and restart it if it hangs.")
      }
      return value
    }
  }

  private func failure(_ head: HTTPResponseHead, _ bytes: [UInt8]) -> Failure {
    guard let error = try? JSONDecoder().decode(APIError.self, from: Data(bytes)) else { return notAnAgent }
    return Failure(error.message)
  }

  private func checkVersion(_ head: HTTPResponseHead) throws(Failure) {
    guard let version = head.headers.first(name: API.versionHeader) else { throw notAnAgent }
    guard version == String(API.version) else {
      throw Failure(
        "The agent speaks version \(version.prefix(20)) of the API and this weft version \(API.version): "
          + "use the weft that came with the agent.")
    }
  }

  private var notAnAgent: Failure {
    Failure("What answers at \(socket) is not an agent of this release: check --socket and the release of weftd.")
  }

  private static let maximumAnswer = 1 << 28
}
