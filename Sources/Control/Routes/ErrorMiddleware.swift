import HTTPTypes
import Hummingbird
import Logging

/// Around every route: the version in every answer, and every error as JSON with its status.
struct ErrorMiddleware<Context: RequestContext>: RouterMiddleware {
  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    var response: Response
    do {
      try checkVersion(request)
      response = try await next(request, context)
    } catch {
      let answer = apiError(error, request)
      if answer.code == .internal {
        context.logger.error("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
      }
      response = Answers.error(answer)
      if let error = error as? MethodNotAllowed { response.headers[.allow] = error.allowed.joined(separator: ", ") }
    }
    if request.method == .head { response.body = ResponseBody() }
    if let name = HTTPField.Name(API.versionHeader) { response.headers[name] = String(API.version) }
    return response
  }

  private func checkVersion(_ request: Request) throws(APIError) {
    guard let name = HTTPField.Name(API.versionHeader), let version = request.headers[name] else { return }
    guard version == String(API.version) else {
      throw APIError(
        .badRequest,
        "This agent speaks version \(API.version) of the API, not '\(version.prefix(20))': use the weft of its release."
      )
    }
  }

  private func apiError(_ error: any Error, _ request: Request) -> APIError {
    switch error {
    case let error as APIError: error
    case let error as MethodNotAllowed:
      APIError(.methodNotAllowed, "\(request.uri.path.prefix(80)) takes only \(error.allowed.joined(separator: ", ")).")
    case let error as HTTPError where error.status == .notFound:
      APIError(
        .notFound,
        "There is no route \(request.method.rawValue.prefix(20)) \(request.uri.path.prefix(80)): routes begin with /v1."
      )
    case let error as any HTTPResponseError:
      APIError(.badRequest, "The request cannot be read (status \(error.status.code)): check its headers and body.")
    case is CancellationError: APIError(.unavailable, "The agent is stopping: try again once it runs.")
    default: APIError(.internal, "\(error)")
    }
  }
}

/// The path is known, the method is not one of its own.
struct MethodNotAllowed: Error {
  let allowed: [String]
}
