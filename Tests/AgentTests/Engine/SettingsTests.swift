import Logging
import Testing

@testable import Agent

@Suite struct SettingsTests {
  private func settings(
    stateDirectory: String = "/var/lib/weft", socket: String = "/run/weft/weft.sock", name: String = "host-1",
    underlay: String = "192.0.2.1", port: UInt16 = 7677,
    queues: Int? = nil
  ) throws -> Settings {
    try Settings(
      stateDirectory: stateDirectory, socket: socket, name: name, underlay: underlay, port: port, dataPlane: .auto,
      queues: queues, logLevel: .info)
  }

  private func refusal(_ body: () throws -> Settings) -> String? {
    do {
      _ = try body()
      return nil
    } catch let error as SettingsError {
      return error.description
    } catch {
      return "another error: \(error)"
    }
  }

  @Test func goodSettingsAreTakenAsTheyAre() throws {
    let settings = try settings()
    #expect(settings.stateDirectory == "/var/lib/weft" && settings.socket == "/run/weft/weft.sock")
    #expect(settings.name == "host-1" && settings.underlay == "192.0.2.1" && settings.port == 7677)
    #expect(settings.dataPlane == .auto && settings.queues == nil && settings.logLevel == .info)
  }

  @Test func relativePathsAreRefusedWithTheirFlag() {
    #expect(
      refusal { try settings(stateDirectory: "state") } == "--state-dir needs an absolute path, not 'state'.")
    #expect(refusal { try settings(socket: "") } == "--socket needs an absolute path, not ''.")
    #expect(refusal { try settings(socket: "./weft.sock") }?.contains("--socket") == true)
  }

  @Test func aMissingUnderlayIsRefusedWithWhatToPass() {
    let sentence = refusal { try settings(underlay: "") }
    #expect(sentence?.contains("--underlay") == true && sentence?.contains("WEFT_UNDERLAY") == true)
  }

  @Test(arguments: [
    "224.0.0.1", "255.255.255.255", "0.0.0.0", "169.254.1.1", "fe80::1", "::", "ff02::1", "fe80::1%eth0",
  ])
  func anUnderlayThatNoHostCanEverBeReachedAtIsRefused(underlay: String) {
    let sentence = refusal { try settings(underlay: underlay) }
    #expect(sentence?.hasPrefix(underlay) == true || sentence?.hasPrefix("'\(underlay)'") == true)
    #expect(sentence?.contains("--underlay with an address that the other hosts can reach") == true)
  }

  @Test(arguments: ["eth0", "xenbr0", "192.0.2.1", "2001:db8::1"])
  func anUnderlayThatMayStillComeIsTaken(underlay: String) throws {
    #expect(try settings(underlay: underlay).underlay == underlay)
  }

  @Test(arguments: ["a", "A-b_c.9", "dom0.example.net", String(repeating: "x", count: 63)])
  func namesThatAPoolCanShowAreTaken(name: String) throws { #expect(try settings(name: name).name == name) }

  @Test(arguments: [
    "", "a b", "a/b", "a\nb", "é", "name\0", "🧵", String(repeating: "x", count: 64), String(repeating: "x", count: 300),
  ]) func namesThatAPoolCannotShowAreRefusedInAShortSentence(name: String) {
    let sentence = refusal { try settings(name: name) }
    #expect(sentence?.contains("use 1 to 63 letters, digits, '.', '-' or '_' with --name") == true)
    #expect((sentence?.utf8.count ?? 0) < 400)
  }

  @Test func portZeroIsRefused() {
    #expect(refusal { try settings(port: 0) }?.contains("--port with a number from 1 to 65535") == true)
  }

  @Test(arguments: [-1, 0, 17, Int.max]) func aNumberOfQueuesThatNoPathHasIsRefused(queues: Int) {
    #expect(refusal { try settings(queues: queues) }?.contains("--queues with a number from 1 to 16") == true)
  }

  @Test(arguments: [1, 16]) func anyOtherNumberOfQueuesIsTaken(queues: Int) throws {
    #expect(try settings(queues: queues).queues == queues)
  }
}
