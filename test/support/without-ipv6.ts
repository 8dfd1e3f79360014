/** A command in a kernel without IPv6, as with `ipv6.disable=1`: every socket of that family is refused (EAFNOSUPPORT). No rights needed. */
import type { Context } from 'mocha';
import { requireTool } from './tools.ts';

/** `socket` and `prctl` by architecture of Node. */
const SYSTEM_CALLS: Readonly<Partial<Record<string, readonly [socket: number, prctl: number]>>> = {
  x64: [41, 157],
  arm64: [198, 167],
};

/**
 * seccomp(2): a filter that lets every call through but socket(AF_INET6, ...). Perl, since Node has no way to prctl(2), and Debian always
 * has it. The words are those of <linux/filter.h>: load, jump if equal, return.
 */
const PROGRAM = `
my ($socket, $prctl) = (shift, shift);
my @filter = ([0x20, 0, 0, 0], [0x15, 0, 3, $socket], [0x20, 0, 0, 16], [0x15, 0, 1, 10], [6, 0, 0, 0x50000 | 97], [6, 0, 0, 0x7fff0000]);
my $code = join '', map { pack 'SCCL', @$_ } @filter;
my $filters = pack 'Sx6P', scalar @filter, $code;
syscall($prctl, 38, 1, 0, 0, 0) == 0 or die "PR_SET_NO_NEW_PRIVS: $!";
syscall($prctl, 22, 2, $filters) == 0 or die "PR_SET_SECCOMP: $!";
exec @ARGV or die "exec: $!";
`;

/** @returns the command that has no IPv6. Call it in a test, with its `this`. */
export function withoutIpv6(context: Context, command: readonly string[]): readonly string[] {
  const perl = requireTool(context, 'perl');
  const [socket, prctl] = SYSTEM_CALLS[process.arch] ?? [];
  if (socket === undefined || prctl === undefined)
    throw new Error(`the system calls of ${process.arch} are not known here`);
  return [perl, '-e', PROGRAM, String(socket), String(prctl), ...command];
}
