import Glibc
import Testing

/// The program `ip` with a list of commands: what a script would use in place of the agent.
enum IPProgram {
  /// Carries the commands out in the calling thread's namespace, each as a line without the word `ip`.
  ///
  /// - Returns: the time from the start of the program to its end.
  static func batch(_ lines: [String]) throws -> Duration {
    let file = try #require(tmpfile(), "no temporary file could be made")
    defer { fclose(file) }
    for line in lines { fputs(line + "\n", file) }
    // `rewind` also writes what is buffered: the program reads from the start.
    rewind(file)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, fileno(file), 0)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    let words = ["ip", "-batch", "-"].map { (word: String) in strdup(word) }
    defer { for word in words { free(word) } }
    var process: pid_t = 0
    var status: Int32 = 0
    let start = ContinuousClock.now
    try #require(posix_spawnp(&process, "ip", &actions, nil, words + [nil], environ) == 0, "there is no program ip")
    var ended = waitpid(process, &status, 0)
    while ended < 0 && errno == EINTR { ended = waitpid(process, &status, 0) }
    let time = ContinuousClock.now - start
    try #require(status == 0, "ip -batch failed; its words are above")
    return time
  }
}
