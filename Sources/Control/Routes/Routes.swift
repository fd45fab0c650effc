import HTTPTypes
import Hummingbird

/// The routes of the API, all under `/v1`: each decodes, asks the service, encodes; nothing is decided here.
package struct Routes: Sendable {
  package typealias Context = BasicRequestContext
  typealias Handle = @Sendable (Request, Context) async throws -> Response

  let service: any AgentService

  package init(service: any AgentService) { self.service = service }

  package func router() -> Router<Context> {
    let router = Router(context: Context.self)
    router.add(middleware: ErrorMiddleware<Context>())
    for (path, methods) in table {
      for (method, handle) in methods { router.on(path, method: method, use: handle) }
      let allowed = methods.map(\.0.rawValue).sorted()
      for method in Self.commonMethods where !methods.contains(where: { $0.0 == method }) {
        router.on(path, method: method) { _, _ -> Response in throw MethodNotAllowed(allowed: allowed) }
      }
    }
    return router
  }

  private static let commonMethods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options]

  private var table: [(RouterPath, [(HTTPRequest.Method, Handle)])] {
    [
      ("/v1/health", [(.get, health)]),
      ("/v1/pool", [(.get, poolStatus)]),
      ("/v1/pool/init", [(.post, initPool)]),
      ("/v1/pool/tokens", [(.post, invite)]),
      ("/v1/pool/join", [(.post, joinPool)]),
      ("/v1/pool/leave", [(.post, leavePool)]),
      ("/v1/pool/rekey", [(.post, rekey)]),
      ("/v1/hosts", [(.get, hosts)]),
      ("/v1/hosts/:host", [(.get, host)]),
      ("/v1/hosts/:host/evict", [(.post, evictHost)]),
      ("/v1/networks", [(.get, networks), (.post, createNetwork)]),
      ("/v1/networks/:network", [(.get, network), (.patch, setNetwork), (.delete, deleteNetwork)]),
      ("/v1/bindings", [(.get, bindings)]),
      ("/v1/events", [(.get, events)]),
      ("/v1/doctor", [(.get, doctor)]),
    ]
  }

  /// A name or an ID out of the path.
  func reference(_ name: String, _ context: Context) throws(APIError) -> String {
    guard let raw = context.parameters.get(name), let text = PercentEncoding.decode(raw), !text.isEmpty else {
      throw APIError(.badRequest, "The path is not valid: write special characters of a name as %XX, in UTF-8.")
    }
    return text
  }

  func noQuery(_ request: Request) throws(APIError) { _ = try QueryDecoding(request, allowed: []) }
}
