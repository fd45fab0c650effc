import Hummingbird
import ServiceLifecycle

extension Routes {
  /// What happened: an array, or with `follow` a line for each event until the client closes or the agent stops.
  @Sendable func events(_ request: Request, _ context: Context) async throws -> Response {
    let query = try QueryDecoding(request, allowed: ["after", "follow"])
    let after = try query.number("after")
    guard try query.flag("follow") else { return try Answers.list(try await service.events(after: after)) }
    let stream = try await service.followEvents(after: after)
    let body = ResponseBody { writer in
      do {
        try await request.body.consumeWithCancellationOnInboundClose { _ in
          for await event in stream.cancelOnGracefulShutdown() { try await writer.write(Answers.line(event)) }
        }
      } catch is CancellationError {
        // The client has gone: there is nobody to tell.
      }
      try await writer.finish(nil)
    }
    return Response(status: .ok, headers: [.contentType: Answers.jsonLines, .cacheControl: "no-store"], body: body)
  }
}
