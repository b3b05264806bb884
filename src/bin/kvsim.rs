fn main() -> std::process::ExitCode {
    kvsim::cli::kvsim::main()
}
