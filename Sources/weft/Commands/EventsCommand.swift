import ArgumentParser
import Control

struct EventsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "events", abstract: "What happened, newest last.")

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var format: FormatOptions

  @Flag(help: "Go on printing events as they come; with --json one object on each line.")
  var follow = false

  func run() async throws {
    let client = connection.client
    guard follow else {
      let answer = try await client.get([API.Event].self, "/v1/events")
      if format.json { return Output.bytes(answer.bytes) }
      for event in answer.value { Output.line(Self.text(event)) }
      return
    }
    let json = format.json
    try await client.follow("/v1/events?follow=1") { line in
      if json { Output.bytes(line) } else { Output.line(Self.text(try client.decode(API.Event.self, line))) }
    }
    throw Failure("weftd has stopped: start it, then run this command again.")
  }

  static func text(_ event: API.Event) -> String { Text.plain("\(event.time)  \(event.kind)  \(event.message)") }
}
