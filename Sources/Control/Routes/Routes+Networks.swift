import Hummingbird

extension Routes {
  @Sendable func networks(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    return try Answers.list(try await service.networks())
  }

  @Sendable func createNetwork(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    let body = try await RequestDecoding.body(API.CreateNetwork.self, of: request)
    return try Answers.object(try await service.createNetwork(body), status: .created)
  }

  @Sendable func network(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    return try Answers.object(try await service.network(try reference("network", context)))
  }

  @Sendable func setNetwork(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    let body = try await RequestDecoding.body(API.SetNetwork.self, of: request)
    return try Answers.object(try await service.setNetwork(try reference("network", context), body))
  }

  @Sendable func deleteNetwork(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    _ = try await RequestDecoding.body(API.Nothing.self, of: request)
    try await service.deleteNetwork(try reference("network", context))
    return try Answers.object(API.Done())
  }

  @Sendable func bindings(_ request: Request, _ context: Context) async throws -> Response {
    let query = try QueryDecoding(request, allowed: ["network"])
    return try Answers.list(try await service.bindings(network: query.text("network")))
  }
}
