import ArgumentParser
import Control

struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "What this host and its paths can and cannot do, and what to do about it.",
    discussion: "Leaves with status 1 if a check failed.")

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var format: FormatOptions

  func run() async throws {
    let answer = try await connection.client.get(API.DoctorReport.self, "/v1/doctor", timeout: .seconds(30))
    let report = answer.value
    if format.json {
      Output.bytes(answer.bytes)
    } else {
      var table = Table("STATUS", "CHECK", "FOUND")
      for check in report.checks { table.add(check.status.rawValue, check.name, check.message) }
      table.print()
    }
    if report.status == .failure { throw ExitCode(1) }
  }
}
