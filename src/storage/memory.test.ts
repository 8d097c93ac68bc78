import { backendContract } from './contract.ts';
import { createMemoryBackend } from './memory.ts';
import { storeContract } from './store-contract.ts';

backendContract('memory', { make: () => ({ open: createMemoryBackend, survives: false }) });
storeContract('memory', createMemoryBackend);
