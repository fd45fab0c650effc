import Testing

/// Scenarios with real agents on the kernel's own bridges and tunnels, one after the other; each is in an extension.
@Suite(.serialized, .enabled(if: TestRun.obstacle == nil, Comment(rawValue: TestRun.obstacle ?? "")))
struct EndToEnd {}
