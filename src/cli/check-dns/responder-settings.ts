/** Zones and clients of the responder in a cluster: its ConfigMap, and what its Deployment says over that. Pure. */
import { AppError } from '../../api/errors.ts';
import { parseConfig } from '../../runtime/config.ts';
import { SETTINGS } from '../../runtime/settings.ts';
import type { Manifest } from '../deploy/manifests.ts';
import { isUnread, type ResponderSettings, type Unread } from './observation.ts';
import { dataOf } from './other-dns.ts';

/** In the manifests. */
const KEY = 'peer.yaml';
const SEEN = SETTINGS.filter(({ key }) => key.startsWith('dns.'));

interface DeploymentBody {
  readonly spec?: {
    readonly template?: {
      readonly spec?: {
        readonly containers?: readonly {
          readonly args?: readonly string[];
          readonly env?: readonly { readonly name: string; readonly value?: string }[];
        }[];
      };
    };
  };
}

export function settingsOf(
  configMap: Manifest | Unread | undefined,
  deployment: Manifest | undefined,
): ResponderSettings | Unread {
  if (configMap === undefined) return { unread: 'the ConfigMap is not there' };
  if (isUnread(configMap)) return configMap;
  const { spec } = (deployment ?? {}) as DeploymentBody;
  const containers = spec?.template?.spec?.containers ?? [];
  const env: Record<string, string | undefined> = {};
  for (const { name, value } of containers.flatMap((container) => container.env ?? [])) {
    if (SEEN.some((setting) => setting.env === name)) env[name] = value;
  }
  const flags: Record<string, string | undefined> = {};
  for (const argument of containers.flatMap(({ args = [] }) => args)) {
    const setting = SEEN.find(({ flag }) => argument.startsWith(`${flag}=`));
    if (setting !== undefined) flags[setting.key] = argument.slice(setting.flag.length + 1);
  }
  try {
    const file = { name: KEY, text: dataOf(configMap)[KEY] ?? '' };
    const { dns } = parseConfig({ file, env, flags, cwd: '/', state: '/' });
    const stands = env['CLUSTERLINK_MCS_DNS_CLIENTS'] === undefined && flags['dns.clients'] === undefined;
    return { zones: dns.zones, clients: dns.clients, configMap: stands ? configMap : undefined };
  } catch (error) {
    if (error instanceof AppError) return { unread: error.message };
    throw error;
  }
}
