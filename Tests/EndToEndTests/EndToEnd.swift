import Testing

/// Real agents on real kernels' bridges and tunnels, one scenario after the other: the scenarios are in the extensions.
@Suite(.serialized, .enabled(if: TestRun.obstacle == nil, Comment(rawValue: TestRun.obstacle ?? "")))
struct EndToEnd {}
