// Makes the owner's account while Dockge has none, and ends before Dockge starts to listen.
//
// Whoever opens a Dockge without accounts first may make one, and is root on the box from then on.
// Since the account is there before the port is, that moment does not exist: not for other
// containers either, which reach Dockge past the login of the box.
//
// It uses Dockge's own modules, so that tables and digests are those of this very version. An
// account that is there, whatever its name and password, is left alone.
import fs from "node:fs";
import { R } from "redbean-node";
import { Database } from "../backend/database";
import { generatePasswordHash } from "../backend/password-hash";
import type { DockgeServer } from "../backend/dockge-server";

const dataDir = process.env.DOCKGE_DATA_DIR || "./data/";
const passwordFile = "/run/secrets/dockge-admin-password";

async function makeAccount() {
    // Of the whole server the database asks for nothing but this folder.
    await Database.init({ config: { dataDir } } as DockgeServer);
    const accounts = (await R.knex("user").count("id as count").first()).count;
    if (accounts === 0) {
        const username = process.env.HOMELAB_ACCOUNT;
        const password = fs.readFileSync(passwordFile, "utf-8").trim();
        if (!username || !password) {
            throw new Error("name or password of the first account is empty");
        }
        await R.knex("user").insert({ username, password: generatePasswordHash(password) });
    }
    // Else the account could still be lost with the log of the database.
    await R.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    await R.close();
}

makeAccount().then(
    () => process.exit(0),
    (error) => {
        console.error("There is no account, so Dockge is not started:", error);
        process.exit(1);
    },
);
