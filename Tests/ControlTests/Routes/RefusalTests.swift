import Control
import Testing

/// Every wrong request is answered with its status, a code and a sentence, and the service is not asked.
struct RefusalTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var method = "POST"
    var target = "/v1/networks"
    var body: String?
    var headers: [String] = []
    var status = 400
    var code = APIError.Code.badRequest
    let message: String

    var testDescription: String { "\(method) \(target) \(body?.prefix(60) ?? "")" }
  }

  @Test("a wrong request is refused with a sentence and never reaches the service", arguments: cases)
  func refused(_ example: Case) async throws {
    try await withServer { server in
      let answer = try await server.ask(example.method, example.target, example.body, headers: example.headers)
      #expect(answer.status == example.status)
      let error = try answer.error
      #expect(error.code == example.code)
      #expect(error.message == example.message)
      #expect(answer.body.hasPrefix(#"{"apiVersion":1,"code":""#))
      #expect(answer.headers["weft-api"] == "1")
      #expect(await server.agent.calls.isEmpty)
    }
  }

  static let cases = [
    Case(
      body: #"{"name":"blue","colour":"sky"}"#,
      message:
        "The field 'colour' is not known here: this request takes 'name', 'encap', 'encryption', 'mtu', 'vni', 'bridge'."
    ),
    Case(
      target: "/v1/pool/init", body: #"{"b":1,"a":2}"#,
      message: "The fields 'a', 'b' are not known here: this request takes 'name'."),
    Case(
      target: "/v1/pool/leave", body: #"{"force":true}"#,
      message: "The field 'force' is not known here: this request takes none."),
    Case(
      target: "/v1/pool/rekey", body: #"{"hosts":["host2"]}"#,
      message: "The field 'hosts' is not known here: this request takes 'hostOnly'."),
    Case(
      target: "/v1/pool/rekey", body: #"{"hostOnly":"yes"}"#, message: "The field 'hostOnly' must be true or false."),
    Case(body: "{}", message: "The field 'name' is missing: add it to the JSON object."),
    Case(message: "The field 'name' is missing: add it to the JSON object."),
    Case(
      target: "/v1/pool/join", body: #"{"address":"192.0.2.1"}"#,
      message: "The field 'token' is missing: add it to the JSON object."),
    Case(body: #"{"name":7}"#, message: "The field 'name' must be text."),
    Case(body: #"{"name":null}"#, message: "The field 'name' must be text."),
    Case(body: #"{"name":"blue","mtu":"1400"}"#, message: "The field 'mtu' must be a whole number."),
    Case(
      body: #"{"name":"blue","mtu":1400.5}"#, message: "The field 'mtu' must be a whole number that fits in 64 bits."),
    Case(
      body: #"{"name":"blue","vni":99999999999999999999}"#,
      message: "The field 'vni' must be a whole number that fits in 64 bits."),
    Case(
      body: #"{"name":"blue","encap":"geneve"}"#, status: 422, code: .invalid,
      message: "The field 'encap' must be one of: vxlan, gre."),
    Case(
      body: #"{"name":"blue","encryption":false}"#, message: "The field 'encryption' must be text."),
    Case(
      body: #"["blue"]"#,
      message: "The body must be one JSON object with 'name', 'encap', 'encryption', 'mtu', 'vni', 'bridge'."),
    Case(
      target: "/v1/pool/leave", body: "7", message: "The body must be one JSON object."),
    Case(body: #"{"name":"#, message: "The body is not JSON: send one JSON object in UTF-8."),
    Case(body: #"{"name":"blue"} {}"#, message: "The body is not JSON: send one JSON object in UTF-8."),
    Case(body: "name=blue", message: "The body is not JSON: send one JSON object in UTF-8."),
    Case(
      body: String(repeating: "[", count: 20_000), message: "The body is not JSON: send one JSON object in UTF-8."),
    Case(
      body: #"{"name":""# + String(repeating: "x", count: API.maximumBody) + #""}"#, status: 413, code: .tooLarge,
      message: "The body is longer than 65536 bytes: no request of this API needs as much."),
    Case(
      method: "GET", target: "/", status: 404, code: .notFound,
      message: "There is no route GET /: routes begin with /v1."),
    Case(
      method: "GET", target: "/v1/nets", status: 404, code: .notFound,
      message: "There is no route GET /v1/nets: routes begin with /v1."),
    Case(
      method: "GET", target: "/v2/pool", status: 404, code: .notFound,
      message: "There is no route GET /v2/pool: routes begin with /v1."),
    Case(
      method: "GET", target: "/v1/networks/blue/more", status: 404, code: .notFound,
      message: "There is no route GET /v1/networks/blue/more: routes begin with /v1."),
    Case(
      method: "PUT", target: "/v1/networks/blue", status: 405, code: .methodNotAllowed,
      message: "/v1/networks/blue takes only DELETE, GET, PATCH."),
    Case(
      method: "GET", target: "/v1/pool/join", status: 405, code: .methodNotAllowed,
      message: "/v1/pool/join takes only POST."),
    Case(
      method: "GET", target: "/v1/events?since=3",
      message: "The query 'since' is not known here: this request takes 'after', 'follow'."),
    Case(
      method: "GET", target: "/v1/hosts?x", message: "The query 'x' is not known here: this request takes none."),
    Case(
      method: "GET", target: "/v1/events?after=-1", message: "The query 'after' must be a whole number from 0 on."),
    Case(
      method: "GET", target: "/v1/events?after=99999999999999999999",
      message: "The query 'after' must be a whole number from 0 on."),
    Case(
      method: "GET", target: "/v1/events?follow=yes", message: "The query 'follow' must be 1 or 0."),
    Case(
      method: "GET", target: "/v1/events?after=1&after=2",
      message: "The query 'after' is given twice: give it once."),
    Case(
      method: "GET", target: "/v1/bindings?network=%zz",
      message: "The query of the address is not valid: write special characters as %XX, in UTF-8."),
    Case(
      method: "GET", target: "/v1/networks/%ff",
      message: "The path is not valid: write special characters of a name as %XX, in UTF-8."),
    Case(
      method: "GET", target: "/v1/pool", headers: ["Weft-API: 2"],
      message: "This agent speaks version 1 of the API, not '2': use the weft of its release."),
  ]

  @Test("a body that is announced as chunks is refused as soon as it is too long")
  func chunked() async throws {
    try await withServer { server in
      let path = server.path
      let answer = try await offPool {
        let connection = try RawConnection(path)
        connection.send("POST /v1/networks HTTP/1.1\r\nHost: weft\r\nTransfer-Encoding: chunked\r\n\r\n")
        let chunk = "4000\r\n" + String(repeating: " ", count: 0x4000) + "\r\n"
        for _ in 0..<8 { connection.send(chunk) }
        connection.send("0\r\n\r\n")
        connection.finishSending()
        return try HTTPAnswer(connection.readAll())
      }
      #expect(answer.status == 413)
      #expect(try answer.error.code == .tooLarge)
    }
  }

  @Test("HEAD is refused like any other method, without a body")
  func head() async throws {
    try await withServer { server in
      let answer = try await server.ask("HEAD", "/v1/pool")
      #expect(answer.status == 405)
      #expect(answer.headers["allow"] == "GET")
      #expect(answer.body.isEmpty)
    }
  }

  @Test("an error of the service keeps its code, its status and its sentence", arguments: APIError.Code.allCases)
  func serviceError(_ code: APIError.Code) async throws {
    try await withServer { server in
      let error = APIError(code, "Host host9 is not in this pool: look at 'weft host list'.")
      await server.agent.set(fault: error)
      let answer = try await server.ask("GET", "/v1/hosts/host9")
      #expect(answer.status == code.status)
      #expect(try answer.error == error)
    }
  }

  @Test("an error of another kind is answered as a fault of the agent, with its description")
  func otherError() async throws {
    try await withServer { server in
      await server.agent.set(fault: TestFault("The disk is full: make room in /var/lib."))
      let answer = try await server.ask("POST", "/v1/pool/leave")
      #expect(answer.status == 500)
      #expect(try answer.error == APIError(.internal, "The disk is full: make room in /var/lib."))
    }
  }
}
