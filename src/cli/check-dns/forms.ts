/** The files of `coredns/`, which an administrator may apply by hand: what `check dns` prints is made of the same text. */
import { readFile } from 'node:fs/promises';
import { AppError } from '../../api/errors.ts';

const FOLDER = new URL('../../../coredns/', import.meta.url);

/** By what they are for; each is the text of one file without the comment that it begins with. */
const FILES = {
  /** A server block. */
  block: 'Corefile.stub',
  nodeLocalBlock: 'Corefile.stub-nodelocaldns',
  kubeadm: 'stub-kubeadm.yaml',
  k3s: 'stub-k3s.yaml',
  aks: 'stub-aks.yaml',
  eks: 'stub-eks.yaml',
  openshift: 'stub-openshift.yaml',
  gke: 'stub-kube-dns.yaml',
  multiclusterRole: 'multicluster-rbac.yaml',
} as const;
type FormName = keyof typeof FILES;
export type Forms = Readonly<Record<FormName, string>>;

/** What the files have in place of the responder's address, and of the zones. */
const ADDRESS = '192.0.2.53';
const ZONE = 'clusterset.local';

/** @throws {AppError} `ERR_NOT_FOUND` */
export async function readForms(): Promise<Forms> {
  const names = Object.keys(FILES) as FormName[];
  const texts = await Promise.all(
    names.map(async (name) => [name, withoutHeader(await readForm(FILES[name]))] as const),
  );
  return Object.fromEntries(texts) as Record<FormName, string>;
}

async function readForm(file: string): Promise<string> {
  const url = new URL(file, FOLDER);
  try {
    return await readFile(url, 'utf8');
  } catch (cause) {
    throw new AppError('ERR_NOT_FOUND', `${url.pathname}: this file of the program is not there`, {
      cause,
      fix: 'install the program again',
    });
  }
}

/** The comment says what to fill in: that is done. */
function withoutHeader(text: string): string {
  return text.replace(/^(?:#.*\n)+/, '');
}

/** @param address - with a port where it is not 53. */
export function fillIn(
  form: string,
  { address, zones }: { readonly address: string; readonly zones: readonly string[] },
): string {
  return form
    .replaceAll(`${ZONE}:53`, zones.map((zone) => `${zone}:53`).join(' '))
    .replaceAll(`[${ZONE}]`, `[${zones.join(', ')}]`)
    .replaceAll(`"${ZONE}": ["${ADDRESS}"]`, zones.map((zone) => `"${zone}": ["${address}"]`).join(', '))
    .replaceAll(ADDRESS, address);
}
