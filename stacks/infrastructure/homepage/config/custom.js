// Nothing runs on the page but Homepage itself.
