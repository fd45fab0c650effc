import Control
import FoundationEssentials
import Testing

struct TypeTests {
  @Test(
    "a time is written as RFC 3339 with milliseconds",
    arguments: [
      (0, 0, "1970-01-01T00:00:00.000Z"),
      (951_782_400, 999_999_999, "2000-02-29T00:00:00.999Z"),
      (-1, 0, "1969-12-31T23:59:59.000Z"),
      (4_107_542_399, 1_000_000, "2100-02-28T23:59:59.001Z"),
      (4_107_542_400, 0, "2100-03-01T00:00:00.000Z"),
      (Int64.max, Int64.max, "9999-12-31T23:59:59.999Z"),
      (Int64.min, Int64.min, "0000-01-01T00:00:00.000Z"),
    ] as [(Int64, Int64, String)])
  func time(_ seconds: Int64, _ nanoseconds: Int64, _ text: String) {
    #expect(Timestamp.text(seconds: seconds, nanoseconds: nanoseconds) == text)
  }

  @Test("any text comes back from its percent encoding", arguments: ["", "blue", "a b/c?d#e%", "ü\u{1F310}", "\n\0"])
  func percent(_ text: String) {
    let encoded = PercentEncoding.encode(text)
    #expect(encoded.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"/?#&= ".utf8.contains($0) })
    #expect(PercentEncoding.decode(encoded) == text)
  }

  @Test("a broken percent encoding is no text", arguments: ["%", "%1", "%zz", "%ff", "a%4"])
  func brokenPercent(_ text: String) { #expect(PercentEncoding.decode(text) == nil) }

  @Test("an answer of a release with more or fewer optional keys is read")
  func otherRelease() throws {
    let json = """
      {"mac":"00:16:3e:00:00:01","network":"blue","networkId":"n","host":"host1","hostId":"h","state":"live","ips":[],
      "duplicate":false,"rivals":[],"hidden":false,"damped":false,"colour":"sky"}
      """
    let binding = try JSONDecoder().decode(API.Binding.self, from: Data(json.utf8))
    #expect(binding.sequence == nil && binding.vif == nil && binding.vm == nil)
    #expect(binding.host == "host1")
  }

  @Test("an answer of a release without keys is read")
  func withoutKeys() throws {
    let host = """
      {"id":"h","name":"host1","state":"alive","incarnation":0,"isSelf":true,"version":1,"capabilities":[],"epoch":0,
      "networks":[],"problems":[]}
      """
    #expect(try JSONDecoder().decode(API.Host.self, from: Data(host.utf8)).keys == nil)
    let network = """
      {"id":"n","name":"blue","vni":1,"bridge":"b","encap":"vxlan","encryption":"off","mtu":1400,"state":"ok","hosts":[],
      "problems":[],"bindings":0}
      """
    let result = Data(#"{"network":\#(network),"milliseconds":5}"#.utf8)
    #expect(try JSONDecoder().decode(API.NetworkResult.self, from: result).network.underlayNeeded == nil)
    let status = """
      {"joined":false,"host":"host1","release":"0.1.0","hosts":{"alive":0,"suspect":0,"agentDown":0,"dead":0},
      "networks":0,"bindings":0,"epochs":[],"problems":[]}
      """
    #expect(try JSONDecoder().decode(API.PoolStatus.self, from: Data(status.utf8)).keys == nil)
  }

  @Test("a report is as bad as its worst check")
  func worst() {
    func status(_ statuses: API.CheckStatus...) -> API.CheckStatus {
      API.DoctorReport(host: "h", checks: statuses.map { API.Check(name: "n", status: $0, message: "m") }).status
    }
    #expect(status() == .ok)
    #expect(status(.ok, .warning) == .warning)
    #expect(status(.warning, .failure, .ok) == .failure)
  }
}
