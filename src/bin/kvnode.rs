fn main() -> std::process::ExitCode {
    kvsim::cli::kvnode::main()
}
