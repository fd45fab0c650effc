import FoundationEssentials
import Hummingbird
import NIOCore

/// Reads the body of a request; every fault is an `APIError` that names the field.
enum RequestDecoding {
  static func body<Body: StrictRequest>(_ type: Body.Type, of request: Request) async throws -> Body {
    if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > API.maximumBody { throw tooLarge }
    let buffer: ByteBuffer
    do {
      buffer = try await request.body.collect(upTo: API.maximumBody)
    } catch is NIOTooManyBytesError {
      throw tooLarge
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      throw APIError(.badRequest, "The body broke off before its announced end: send it whole.")
    }
    return try decode(type, from: Array(buffer.readableBytesView))
  }

  /// No bytes at all stand for `{}`.
  static func decode<Body: StrictRequest>(_ type: Body.Type, from bytes: [UInt8]) throws(APIError) -> Body {
    do {
      return try JSONDecoder().decode(Strict<Body>.self, from: bytes.isEmpty ? Data("{}".utf8) : Data(bytes)).value
    } catch let error as UnknownFields {
      throw APIError(.badRequest, error.sentence)
    } catch let error as UnknownChoice {
      let field = error.path.joined(separator: ".")
      throw APIError(.invalid, "The field '\(field)' must be one of: \(error.allowed.joined(separator: ", ")).")
    } catch let error as DecodingError {
      throw APIError(.badRequest, sentence(for: error, in: bytes, fields: Body.fields))
    } catch {
      throw APIError(.badRequest, "The body cannot be read: send one JSON object in UTF-8.")
    }
  }

  private static let tooLarge = APIError(
    .tooLarge, "The body is longer than \(API.maximumBody) bytes: no request of this API needs as much.")

  private static func sentence(for error: DecodingError, in bytes: [UInt8], fields: [String]) -> String {
    switch error {
    case .keyNotFound(let key, _):
      return "The field '\(key.stringValue)' is missing: add it to the JSON object."
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      guard let field = context.codingPath.last else {
        return "The body must be one JSON object\(fields.isEmpty ? "" : " with \(list(fields))")."
      }
      return "The field '\(field.stringValue)' must be \(kind(type))."
    case .dataCorrupted:
      // The decoder tells a number that does not fit its type from broken JSON by nothing.
      guard let field = (try? JSONDecoder().decode(FractionFinder.self, from: Data(bytes)))?.field else {
        return "The body is not JSON: send one JSON object in UTF-8."
      }
      return "The field '\(field)' must be a whole number that fits in 64 bits."
    @unknown default: return "The body cannot be read: send one JSON object in UTF-8."
    }
  }

  private static func kind(_ type: any Any.Type) -> String {
    switch type {
    case is String.Type: "text"
    case is any FixedWidthInteger.Type: "a whole number"
    case is Bool.Type: "true or false"
    default: "of another type"
    }
  }

  static func list(_ fields: [String]) -> String { fields.map { "'\($0)'" }.joined(separator: ", ") }
}

/// A JSON object that has only fields that its type knows.
private struct Strict<Body: StrictRequest>: Decodable {
  let value: Body

  init(from decoder: any Decoder) throws {
    let names = try decoder.container(keyedBy: FieldName.self).allKeys.map(\.stringValue)
    let unknown = names.filter { !Body.fields.contains($0) }.sorted()
    guard unknown.isEmpty else { throw UnknownFields(unknown: unknown, known: Body.fields) }
    value = try Body(from: decoder)
  }
}

/// The first field, by name, with a number that is no whole number of 64 bits.
private struct FractionFinder: Decodable {
  let field: String?

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: FieldName.self)
    field =
      container.allKeys.sorted { $0.stringValue < $1.stringValue }.first { key in
        (try? container.decode(Int.self, forKey: key)) == nil
          && (try? container.decode(Double.self, forKey: key)) != nil
      }?.stringValue
  }
}

private struct FieldName: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }

  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

private struct UnknownFields: Error {
  let unknown: [String]
  let known: [String]

  var sentence: String {
    let names = RequestDecoding.list(unknown.prefix(3).map { String($0.prefix(40)) })
    let verb = unknown.count == 1 ? "The field \(names) is" : "The fields \(names) are"
    guard !known.isEmpty else { return "\(verb) not known here: this request takes none." }
    return "\(verb) not known here: this request takes \(RequestDecoding.list(known))."
  }
}
