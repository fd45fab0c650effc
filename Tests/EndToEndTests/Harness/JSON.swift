import FoundationEssentials

enum JSON {
  /// Decodes; underscores in keys (as iproute2 has them) become lowerCamelCase.
  static func decode<Value: Decodable>(_ type: Value.Type, from text: String) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    // `ip -j` of nothing prints nothing or an empty object among the others.
    let source = text.isEmpty ? "[]" : text
    do {
      return try decoder.decode(type, from: Data(source.utf8))
    } catch {
      throw Failure("not the JSON of \(type): \(error)\n\(text)")
    }
  }
}
