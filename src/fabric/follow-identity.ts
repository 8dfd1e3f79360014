/**
 * Follows the files of this peer's identity while it runs: certificate, key and roots are replaced without a restart.
 *
 * What has come to rest is judged as a whole. What does not do leaves the identity that is in force.
 */
import { AppError } from '../api/errors.ts';
import { followAtRest } from './follow-at-rest.ts';
import { parseIdentity, readIdentity, type IdentityFiles, type PeerIdentity } from './peer-identity.ts';

export interface FollowIdentityOptions {
  readonly files: IdentityFiles;
  /** What was loaded from them. */
  readonly first: PeerIdentity;
  /** Another identity is in force. */
  onChange(identity: PeerIdentity): void;
  /** What the files say now does not do; told once for each problem. */
  onProblem(error: AppError): void;
  /** The files are those that are in force again, after a problem. */
  onMended(): void;
  /** Tests set it. */
  readonly lookMs?: number;
}

export interface FollowedIdentity {
  /** In force now. */
  current(): PeerIdentity;
  close(): void;
}

type Look = { readonly text: string } & (
  { readonly texts: Awaited<ReturnType<typeof readIdentity>> } | { readonly error: AppError }
);

export function followIdentity(options: FollowIdentityOptions): FollowedIdentity {
  const { files, first, onChange, onProblem, onMended, lookMs } = options;
  let current = first;
  /** What the files said when `current` came into force; not known yet for the first one, which is judged once more. */
  let inForce: string | undefined;
  let told: string | undefined;

  function judge(look: Look): void {
    if (look.text === inForce) return settle();
    try {
      if ('error' in look) throw look.error;
      // Judged at every look until it does: a certificate of tomorrow is good tomorrow.
      const identity = parseIdentity(look.texts, files);
      inForce = look.text;
      const isSame = isSameIdentity(current, identity);
      settle();
      if (isSame) return;
      current = identity;
      onChange(identity);
    } catch (error) {
      const problem = error instanceof AppError ? error : unreadable(error);
      if (told === problem.message) return;
      told = problem.message;
      onProblem(problem);
    }
  }

  function settle(): void {
    if (told === undefined) return;
    told = undefined;
    onMended();
  }

  const close = followAtRest({ look: () => lookAt(files), onRest: judge, lookMs });
  return { current: () => current, close };
}

/** Files that cannot be read are a look like any other: they too may be so for a moment. */
async function lookAt(files: IdentityFiles): Promise<Look> {
  try {
    const texts = await readIdentity(files);
    return { text: JSON.stringify([texts.keysPem, texts.certPem, texts.caPem]), texts };
  } catch (error) {
    const told = error instanceof AppError ? error : unreadable(error);
    return { text: told.message, error: told };
  }
}

function unreadable(cause: unknown): AppError {
  return new AppError('ERR_CERTIFICATE', 'the files of fabric.ca, fabric.cert and fabric.key: cannot be read', {
    cause,
    fix: 'look at the disk that they are on',
  });
}

function isSameIdentity(a: PeerIdentity, b: PeerIdentity): boolean {
  return a.certPem === b.certPem && a.keyPem === b.keyPem && a.caPem === b.caPem;
}
