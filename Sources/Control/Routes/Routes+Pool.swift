import Hummingbird

extension Routes {
  @Sendable func health(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    return try Answers.object(await service.health())
  }

  @Sendable func poolStatus(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    return try Answers.object(try await service.poolStatus())
  }

  @Sendable func initPool(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    let body = try await RequestDecoding.body(API.InitPool.self, of: request)
    return try Answers.object(try await service.initPool(body), status: .created)
  }

  @Sendable func invite(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    let body = try await RequestDecoding.body(API.Invite.self, of: request)
    return try Answers.object(try await service.invite(body), status: .created)
  }

  @Sendable func joinPool(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    let body = try await RequestDecoding.body(API.JoinPool.self, of: request)
    return try Answers.object(try await service.joinPool(body))
  }

  @Sendable func leavePool(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    _ = try await RequestDecoding.body(API.Nothing.self, of: request)
    try await service.leavePool()
    return try Answers.object(API.Done())
  }

  @Sendable func rekey(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    let body = try await RequestDecoding.body(API.Rekey.self, of: request)
    return try Answers.object(try await service.rekey(body))
  }

  @Sendable func hosts(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    return try Answers.list(try await service.hosts())
  }

  @Sendable func host(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    return try Answers.object(try await service.host(try reference("host", context)))
  }

  @Sendable func evictHost(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    _ = try await RequestDecoding.body(API.Nothing.self, of: request)
    return try Answers.object(try await service.evictHost(try reference("host", context)))
  }

  @Sendable func doctor(_ request: Request, _ context: Context) async throws -> Response {
    try noQuery(request)
    return try Answers.object(try await service.doctor())
  }
}
