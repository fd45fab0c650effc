/// Why a request was not done: a code for programs, a sentence for people.
///
/// The services of the agent throw it; the API answers with its status and JSON; the command line prints the sentence.
package struct APIError: Error, Codable, Sendable, Equatable, CustomStringConvertible {
  /// Each has one HTTP status.
  package enum Code: String, Codable, Sendable, CaseIterable {
    /// 400: the request is not HTTP, not JSON, or not of the shape of its route.
    case badRequest
    /// 404: no such route, host or network.
    case notFound
    /// 405: the route exists, with other methods.
    case methodNotAllowed
    /// 409: the state of the pool forbids it (a name twice, a host that is in a pool already, not in a pool yet).
    case conflict
    /// 413: the body is longer than `API.maximumBody`.
    case tooLarge
    /// 422: well formed, and a value is out of what is allowed.
    case invalid
    /// 403: another host refused it (wrong, used or expired token, evicted host).
    case refused
    /// 501: this host or release cannot do it.
    case unsupported
    /// 503: it cannot be done now (another host does not answer, the agent starts or stops).
    case unavailable
    /// 504: it was begun and did not end in time.
    case timeout
    /// 500: a fault of the agent.
    case `internal`

    /// The status of an answer that carries the error.
    package var status: Int {
      switch self {
      case .badRequest: 400
      case .refused: 403
      case .notFound: 404
      case .methodNotAllowed: 405
      case .conflict: 409
      case .tooLarge: 413
      case .invalid: 422
      case .internal: 500
      case .unsupported: 501
      case .unavailable: 503
      case .timeout: 504
      }
    }
  }

  package let code: Code
  /// One sentence that says what is wrong and what to do.
  package let message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  package var description: String { message }
}
