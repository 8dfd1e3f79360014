/** What every command is given, and the options that several of them share. */
import { Option, type Command } from 'commander';
import { OUTPUTS } from './output.ts';

/** What commands print on, so that tests can read it. */
export interface Streams {
  out(text: string): void;
  /** Beside no text: where a pipe reads it. */
  bytes(content: Uint8Array): void;
  error(text: string): void;
}

export interface Register {
  readonly program: Command;
  readonly streams: Streams;
  done(exitCode: number): void;
}

/** `--store STORE`: where the user's manifests go. */
export function storeOption(): Option {
  const help = 'dir:PATH, a folder of manifests; or kubernetes: they are printed, for "| kubectl apply -f -"';
  return new Option('--store <STORE>', help).env('CLUSTERLINK_MCS_STORE').makeOptionMandatory();
}

/** `--state PATH`: where a running peer keeps its own files, its admin socket among them. */
export function stateOption(): Option {
  return new Option('--state <PATH>', 'state folder of the peer').env('CLUSTERLINK_MCS_STATE').default('./state');
}

/** `-o FORMAT`, read by `parseOutput`. */
export function outputOption(): Option {
  return new Option('-o, --output <FORMAT>', OUTPUTS.join(', ')).default('text');
}

/** Which cluster. */
export interface Where {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** `--kubeconfig FILE` and `--context CONTEXT`: {@link Where}. */
export function withWhere(command: Command): Command {
  return command
    .option('--kubeconfig <FILE>', 'kubeconfig file; without it KUBECONFIG, else ~/.kube/config')
    .option('--context <CONTEXT>', 'context of the kubeconfig; without it the current one');
}
