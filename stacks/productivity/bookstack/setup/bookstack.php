<?php

// Exits with 0 when BookStack has an admin and no longer the one whose password everybody knows.
// It reads the database itself: no command of BookStack's lists its users.

try {
    $database = new PDO(
        sprintf(
            'mysql:host=%s;port=%s;dbname=%s',
            getenv('DB_HOST'),
            getenv('DB_PORT'),
            getenv('DB_DATABASE'),
        ),
        getenv('DB_USERNAME'),
        getenv('DB_PASSWORD'),
        [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION],
    );
    $known = "SELECT COUNT(*) FROM users WHERE email = 'admin@admin.com'";
    $admins = "SELECT COUNT(*) FROM role_user JOIN roles ON roles.id = role_user.role_id
        WHERE roles.system_name = 'admin'";
    $claimed = (int) $database->query($known)->fetchColumn() === 0
        && (int) $database->query($admins)->fetchColumn() > 0;
} catch (PDOException $error) {
    fwrite(STDERR, 'BookStack: ' . $error->getMessage() . "\n");
    exit(1);
}
exit($claimed ? 0 : 1);
