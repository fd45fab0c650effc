import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore

/// Turns what the service answers into HTTP.
enum Answers {
  static let jsonLines = "application/x-ndjson"

  /// One object, with `apiVersion` among its keys.
  static func object(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
    json(try encode(Versioned(value: value)), status: status)
  }

  /// An array; its objects carry no version.
  static func list(_ values: some Encodable) throws -> Response { json(try encode(values), status: .ok) }

  static func error(_ error: APIError) -> Response {
    let status = HTTPResponse.Status(code: error.code.status)
    do { return try object(error, status: status) } catch { return Response(status: status) }
  }

  /// One line of a stream of JSON lines.
  static func line(_ value: some Encodable) throws -> ByteBuffer { try encode(value) }

  private static func json(_ bytes: ByteBuffer, status: HTTPResponse.Status) -> Response {
    Response(
      status: status, headers: [.contentType: "application/json; charset=utf-8"], body: ResponseBody(byteBuffer: bytes))
  }

  /// Keys in alphabetical order, so that equal answers are equal bytes.
  private static func encode(_ value: some Encodable) throws -> ByteBuffer {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var buffer = ByteBuffer(bytes: try encoder.encode(value))
    buffer.writeStaticString("\n")
    return buffer
  }
}

/// An object with the version of the interface beside its own keys.
private struct Versioned<Value: Encodable>: Encodable {
  let value: Value

  private enum CodingKeys: String, CodingKey { case apiVersion }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(API.version, forKey: .apiVersion)
    try value.encode(to: encoder)
  }
}
