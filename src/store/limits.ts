/** Bounds of the store; docs/LIMITS.md lists them for users. */

/** One object as JSON: what an API server's database takes (1.5 MiB), less its own bookkeeping. */
export const OBJECT_BYTES_MAX = 1024 * 1024;
/** Objects of all kinds: beyond it nothing new is created, what there is goes on. */
export const OBJECTS_MAX = 20_000;
/** Field managers of one object: a few components, one a gateway replica; more is a writer that changes its name. */
export const MANAGERS_PER_OBJECT_MAX = 32;
/** Length of a field manager's name (Kubernetes bounds it so). */
export const MANAGER_NAME_CHARS_MAX = 128;
/** Writes that wait for the disk at once: each holds one object in memory. */
export const PENDING_WRITES_MAX = 10_000;
/** Conflicting fields that one error names. */
export const NAMED_CONFLICTS_MAX = 10;
/** Problems that an error about one object quotes. */
export const NAMED_PROBLEMS_MAX = 5;

/** Bytes of one manifest file (the same bound as a ConfigMap's). */
export const MANIFEST_BYTES_MAX = 1024 * 1024;
/** Manifest files in the folder: each is looked at in every scan. */
export const MANIFEST_FILES_MAX = 10_000;
/** Documents in one manifest file. */
export const MANIFEST_DOCUMENTS_MAX = 1_000;
/** Nesting of maps and lists in one document: our schemas need fewer than 12. */
export const MANIFEST_DEPTH_MAX = 64;
/** Folders in the manifests folder: each costs one watch of the kernel. */
export const FOLDERS_MAX = 1_000;
/** How deep folders nest: links between folders may form a circle. */
export const FOLDER_DEPTH_MAX = 16;
/** Entries of all folders together, manifests or not: bounds one scan. */
export const FOLDER_ENTRIES_MAX = 100_000;
/** Problems that are kept and shown; the last one then says that there are more. */
export const PROBLEMS_MAX = 1_000;

/** From a hint of the kernel to the scan: editors and copies touch a file several times. */
export const SCAN_DEBOUNCE_MS = 100;
/** A file is read once its size and times were the same in two looks this far apart: whoever writes pauses rarely so long. */
export const FILE_QUIET_MS = 50;
/** An absent object is deleted if a scan this much later still does not find it: editors unlink and create again. */
export const DELETION_GRACE_MS = 300;
/** Between two scans that nothing asked for: finds what the kernel does not tell (network file systems, linked files). */
export const SCAN_INTERVAL_MS = 10_000;
/** The same while the kernel's hints do not work. */
export const SCAN_INTERVAL_WITHOUT_HINTS_MS = 1_000;
/** How long opening waits for files that are being written; after that they count as unreadable. */
export const FIRST_SCAN_PATIENCE_MS = 1_000;
/** A file this young is read again although its times are the same: some file systems count in whole seconds. */
export const COARSE_TIME_MS = 2_000;
/** Files read, or state files written, at the same time: enough to keep a disk busy, far below the open files of a process. */
export const PARALLEL_FILES_MAX = 16;

/** One file of the state folder: an object, its document and the configurations of its managers. */
export const STATE_FILE_BYTES_MAX = 8 * OBJECT_BYTES_MAX;
/** Attempts to take over the lock of a process that has died, and the time between two. */
export const LOCK_ATTEMPTS_MAX = 50;
export const LOCK_RETRY_MS = 20;
/** Free names that are tried for a new manifest file. */
export const MANIFEST_NAMES_MAX = 100;
